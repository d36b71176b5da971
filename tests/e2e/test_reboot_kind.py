"""Restarts in the middle of an apply, on real machines over SSH: waited for, once, and gone on behind."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import replace

import pytest

from fleet import Control, Fleet, Reached

pytestmark = [pytest.mark.e2e, pytest.mark.root]

STARTS = 'echo "$(cut -d" " -f22 /proc/1/stat)" >> /srv/starts'
"""Writes down in which start of the machine it ran."""
DECLARATION = """
version: 1
project: shop
ssh: {{config: {config}}}
servers:
  web:
    lifecycle: mutable
    hosts: ["{host}"]
    resources:
      - file: {{path: /etc/shop.conf, content: "one\\n"}}
      - command: {{name: before, run: [/bin/sh, -c, '{starts}; touch /srv/before'], creates: /srv/before}}
      - reboot: {{{reboot}}}
      - command: {{name: after, run: [/bin/sh, -c, '{starts}; touch /srv/after'], creates: /srv/after}}
      - service: {{name: cron, running: true}}
"""

EXPECTED: dict[signal.Signals | None, tuple[int, str]] = {
    None: (4, "did not come back from its restart within 3 s"),
    signal.SIGINT: (130, "run the same command again: it goes on behind the restart"),
    signal.SIGKILL: (-9, ""),
}
"""How an apply ends that is ended so while its host is down, and what it says."""


def declare(control: Control, fleet: Fleet, machine: Reached, reboot: str) -> None:
    control.declare(DECLARATION.format(config=fleet.config, host=machine.url("admin"), starts=STARTS, reboot=reboot))


def journals(machine: Reached) -> list[list[dict[str, object]]]:
    """The records of each run that the machine remembers, oldest first."""
    folders = sorted(machine.machine.path("/var/lib/vitrify/runs").iterdir())
    return [[json.loads(line) for line in (one / "journal.ndjson").read_text().splitlines()] for one in folders]


def restarts(records: list[dict[str, object]]) -> list[str]:
    """What each `reboot` of a run began from, by intent."""
    changes = [record["change"] for record in records if record["record"] == "intent"]
    return [str(one["before"]["boot"]) for one in changes if isinstance(one, dict) and one["resource"]["address"] == "reboot:host"]


def until_down(running: subprocess.Popen[str]) -> None:
    """Until the apply says that the host is down."""
    assert running.stderr is not None
    until = time.monotonic() + 30
    said = []
    for line in running.stderr:
        said.append(line)
        if "does not answer" in line:
            return
        assert time.monotonic() < until, said
    raise AssertionError(f"it ended before the host was down: {said}")


def test_an_apply_restarts_a_host_once_and_goes_on_behind_it(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine, 'reboot_on: ["file:/etc/shop.conf"], when_required: true')
    assert "reboot: file:/etc/shop.conf changes" in " ".join(control.run("plan").stdout.split())

    applied = control.run("apply")

    machine = replace(machine, machine=machine.machine.started_anew())
    before, after = machine.text("/srv/starts").split()
    assert before != after, "one command ran in each start"
    assert "is up again after" in applied.stderr
    assert "Traceback" not in applied.stderr
    (records,) = journals(machine)
    assert len({*restarts(records)}) == 1
    assert [record["record"] for record in records].count("begin") == 1
    assert control.document("plan")["servers"][0]["changes"] == []

    machine.machine.path("/run/reboot-required").write_text("")
    machine.machine.path("/run/reboot-required.pkgs").write_text("libc6\nlibc6\n")
    assert "asked for by libc6" in control.run("plan").stdout
    assert "Plan: 0 to add, 1 to change" in control.run("plan").stdout


@pytest.mark.parametrize("how", [None, signal.SIGINT, signal.SIGKILL], ids=["too late", "Ctrl-C", "killed"])
def test_the_same_command_goes_on_behind_a_restart_that_nobody_saw_the_end_of(
    fleet: Fleet, control: Control, how: signal.Signals | None
) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine, "always: true" if how else "always: true, timeout: 3s")
    with machine.machine.held_down():
        running = control.start("apply", "-v")
        if how:
            until_down(running)
            running.send_signal(how)
        _, said = running.communicate(timeout=30)
    machine = replace(machine, machine=machine.machine.started_anew())
    code, words = EXPECTED[how]
    assert running.returncode == code
    assert words in " ".join(said.split())

    control.run("apply")

    before, after = machine.text("/srv/starts").split()
    assert before != after, "one command ran in each start"
    (records,) = journals(machine)
    assert (len({*restarts(records)}), records[-1]["record"]) == (1, "end"), "one run, one restart"
