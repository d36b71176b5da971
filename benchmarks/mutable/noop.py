"""A no-op over SSH, cold and warm, beside a hand-written `ssh host sh -s` that reads the same state in the same run.

    ./run vitrify version && .venv/bin/python benchmarks/mutable/noop.py [ROUNDS] [HOSTS]

143 resources: 3 folders, 130 files from a template, 10 lines. Needs root and the Debian packages of `requirements/debian.txt`: the
hosts are machines with systemd and sshd on this one. Cold means a new connection, with its handshake; warm, over an open one.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "e2e"))

from fleet import Control, Fleet, Reached
from vitrify.transports.ssh import Client

FILES = 130
LINES = 10

FLOOR = f"""\
set -e
stat -c '%F %a %U %G' /srv/app /srv/app/conf /srv/app/log
for i in $(seq 0 {FILES - 1}); do echo /srv/app/conf/$i.conf; done > /tmp/paths
xargs stat -c '%n %a %U %G' < /tmp/paths
xargs sha256sum < /tmp/paths
for i in $(seq 0 {LINES - 1}); do grep -cxF "export SHOP_$i=open" /etc/profile; done
"""


def main(rounds: int, hosts: int) -> None:
    """Print one line a figure."""
    with tempfile.TemporaryDirectory(prefix="vitrify-bench-") as name:
        folder = Path(name)
        fleet = Fleet.begin(folder / "fleet")
        try:
            machines = [fleet.boot() for _ in range(hosts)]
            (folder / "project").mkdir()
            control = Control(folder / "project", folder / "home", fleet.runtime)
            (control.folder / "conf.j2").write_text("number = {{ number }}\n" * 20)
            control.declare(declaration(fleet, machines))
            started = time.perf_counter()
            control.run("apply")
            print(f"first apply                        {time.perf_counter() - started:.2f} s")
            measure(fleet, control, machines, rounds)
        finally:
            fleet.close()


def declaration(fleet: Fleet, machines: Sequence[Reached]) -> str:
    """143 wishes for each of these machines."""
    files = "\n".join(
        f'      - file: {{path: /srv/app/conf/{number}.conf, template: ./conf.j2, vars: {{number: "{number}"}}, owner: root, mode: "0640"}}'
        for number in range(FILES)
    )
    lines = "\n".join(f'      - line: {{path: /etc/profile, line: "export SHOP_{number}=open"}}' for number in range(LINES))
    hosts = ", ".join(f'"{machine.url("admin")}"' for machine in machines)
    return f"""
version: 1
project: bench
ssh: {{config: {fleet.config}}}
servers:
  web:
    lifecycle: mutable
    hosts: [{hosts}]
    resources:
      - directory: [/srv/app, /srv/app/conf, /srv/app/log]
{files}
{lines}
"""


def measure(fleet: Fleet, control: Control, machines: Sequence[Reached], rounds: int) -> None:
    """Side by side, round by round, so that whatever else the machine does hits both alike."""
    client = Client(control.runtime / "vitrify", str(fleet.config))

    def floor() -> None:
        for machine in machines:
            argv = client.argv(machine.host("admin"), "sudo -n sh -s")
            subprocess.run(argv, input=FLOOR, text=True, check=True, capture_output=True, env=control.environment())

    def bare() -> None:
        for machine in machines:
            control.bare(fleet, machine)

    def ours() -> None:
        control.run("plan", "--detailed-exitcode")

    ways: dict[str, Callable[[], None]] = {"ssh true": bare, "hand-written sh": floor, "vitrify plan": ours}
    times = side_by_side(control, ways, rounds)
    for name, found in times.items():
        print(f"{name:34} {statistics.median(found):.3f} s (max {max(found):.3f})")


def side_by_side(control: Control, ways: Mapping[str, Callable[[], None]], rounds: int) -> Mapping[str, list[float]]:
    """Each way, over a new connection and over that one once more."""
    times: dict[str, list[float]] = {f"{name}, {heat}": [] for heat in ("cold", "warm") for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            end_connections(control)
            times[f"{name}, cold"].append(timed(work))
            times[f"{name}, warm"].append(timed(work))
    return times


def timed(work: Callable[[], None]) -> float:
    """Seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def end_connections(control: Control) -> None:
    """The next one begins with a handshake."""
    for socket in (control.runtime / "vitrify").iterdir():
        subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "any"], check=False, capture_output=True)
        while socket.exists():
            time.sleep(0.005)


if __name__ == "__main__":
    main(*(int(word) for word in (sys.argv[1:] + ["7", "1"][len(sys.argv) - 1 :])))
