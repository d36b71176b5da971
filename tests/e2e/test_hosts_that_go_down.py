"""What happens to an apply around it, on real machines over SSH: the host goes down, a second control machine comes, the clock is set."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fleet import Control, Fleet, Reached

pytestmark = [pytest.mark.e2e, pytest.mark.root]

DECLARATION = """
version: 1
project: shop
ssh: {{config: {config}}}
servers:
  web:
    lifecycle: mutable
    hosts: ["{host}"]
    resources:
      - directory: /srv/app
      - file: {{path: /srv/app/first, content: "first\\n"}}
      - command: {{name: slow, run: [/bin/sh, -c, "echo ran >> /srv/ran; sleep {seconds}; touch /srv/slow"], creates: /srv/slow}}
      - file: {{path: /srv/app/last, content: "last\\n"}}
"""


def declare(control: Control, fleet: Fleet, machine: Reached, *, seconds: float) -> None:
    control.declare(DECLARATION.format(config=fleet.config, host=machine.url("admin"), seconds=seconds))


def until(what: str, found: Callable[[], object], *, within: float = 20) -> None:
    deadline = time.monotonic() + within
    while not found():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


def begun(control: Control, machine: Reached) -> subprocess.Popen[str]:
    """An apply whose slow command runs."""
    running = control.start("apply")
    until("the command runs", machine.machine.path("/srv/ran").exists)
    return running


def journals(machine: Reached) -> list[list[str]]:
    """The records of each run that the machine remembers."""
    folders = sorted(machine.machine.path("/var/lib/vitrify/runs").iterdir())
    return [[json.loads(line)["record"] for line in (one / "journal.ndjson").read_text().splitlines()] for one in folders]


@pytest.mark.parametrize("how", [("systemctl", "reboot"), ("systemctl", "reboot", "--force", "--force")], ids=["in order", "at once"])
def test_a_host_that_goes_down_in_mid_apply_is_finished_by_the_same_command(fleet: Fleet, control: Control, how: tuple[str, ...]) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine, seconds=30)
    running = begun(control, machine)

    machine = replace(machine, machine=machine.machine.reboot(*how))
    _, said = running.communicate(timeout=60)

    assert running.returncode in (3, 4), said
    assert "hint:" in said
    assert "Traceback" not in said
    assert machine.text("/srv/app/first") == "first\n"
    assert not machine.machine.path("/srv/app/last").exists()

    declare(control, fleet, machine, seconds=30)
    control.declare((control.folder / "vitrify.yaml").read_text().replace("sleep 30", "sleep 0"))
    control.run("apply")

    assert machine.text("/srv/app/last") == "last\n"
    (records,) = journals(machine)
    assert (records.count("begin"), records[-1]) == (1, "end"), "one run, continued under its own name"
    assert control.document("plan")["servers"][0]["changes"] == []
    control.run("undo", "web")
    assert not machine.machine.path("/srv/app/first").exists()


def test_a_second_command_follows_what_is_under_way_and_nothing_is_done_twice(fleet: Fleet, control: Control, tmp_path: Path) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine, seconds=10)
    # Somebody else's folder of the project; its ledger has one home, and both work there.
    other = Control(tmp_path / "elsewhere", control.home, fleet.runtime)
    control.run("plan")  # makes the project's key, which everybody who works on it has
    shutil.copytree(control.folder, other.folder)
    running = begun(control, machine)

    refused = other.run("undo", "web", expect=6).stderr
    followed = other.run("apply").stderr

    assert "another apply of web is under way on this host" in " ".join(refused.split())
    assert "wait until it has ended, and run the same command again" in " ".join(refused.split())
    assert "over another connection" in followed
    _, told = running.communicate(timeout=30)
    assert running.returncode == 0, told
    assert machine.text("/srv/ran") == "ran\n"
    (records,) = journals(machine)
    assert (records.count("begin"), records.count("intent"), records[-1]) == (1, 4, "end")
    (lease,) = other.document("lease", "show", "web")["leases"]
    assert (lease["standing"], lease["token"], lease["reason"], lease["released"]) == (False, 1, "apply", "it was done")


def test_the_dead_mans_timer_runs_by_a_clock_that_nobody_can_set(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    control.declare(
        "version: 1\nproject: shop\n"
        f"ssh: {{config: {fleet.config}}}\n"
        f"servers: {{web: {{lifecycle: mutable, hosts: [{machine.url()}], resources: ["
        '{file: {path: /etc/ssh/sshd_config.d/90-shop.conf, content: "MaxAuthTries 7\\n"}}, '
        '{command: {name: slow, run: [/bin/sh, -c, "touch /srv/ran; sleep 2; touch /srv/slow"], creates: /srv/slow}}]}}\n'
    )
    running = begun(control, machine)
    (timer,) = machine.machine.path("/etc/systemd/system/timers.target.wants").glob("vitrify-dead-man*.timer")

    found = machine.machine.unit(timer.name, "NextElapseUSecMonotonic", "NextElapseUSecRealtime")

    assert found["NextElapseUSecRealtime"] == ""
    assert found["NextElapseUSecMonotonic"] not in ("", "infinity")
    _, told = running.communicate(timeout=30)
    assert running.returncode == 0, told
