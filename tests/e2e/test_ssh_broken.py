"""A connection that breaks in the middle of an apply: the apply goes on, and the same command finds it again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
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
      - command: {{name: slow, run: [/bin/sh, -c, "echo ran >> /srv/ran; sleep {seconds}; touch /srv/app/slow"], creates: /srv/app/slow}}
      - file: {{path: /srv/app/last, source: ./last}}
{more}
"""


def declare(control: Control, fleet: Fleet, machine: Reached, *, seconds: float = 4, more: str = "") -> None:
    (control.folder / "last").write_text("the last one\n")
    control.declare(DECLARATION.format(config=fleet.config, host=machine.url("admin"), seconds=seconds, more=more))


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


def clients(of: int) -> list[int]:
    """The processes of the OpenSSH client below this one."""
    children = [int(pid) for pid in Path(f"/proc/{of}/task/{of}/children").read_text().split()]
    return [pid for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == "ssh"]


def entries(control: Control) -> list[str]:
    return [entry["kind"] for entry in control.document("ledger", "show")["entries"] if entry["kind"].startswith(("apply", "undo"))]


def finished_once(control: Control, machine: Reached) -> None:
    """One run did all of it, one time, and the ledger knows how it began and how it ended."""
    assert machine.text("/srv/ran") == "ran\n"
    assert machine.text("/srv/app/last") == "the last one\n"
    (run,) = machine.machine.path("/var/lib/vitrify/runs").iterdir()
    records = [json.loads(line)["record"] for line in (run / "journal.ndjson").read_text().splitlines()]
    assert (records.count("begin"), records.count("intent"), records.count("outcome"), records[-1]) == (1, 3, 3, "end")
    assert entries(control) == ["apply.intended", "apply.done"]


@pytest.mark.parametrize("end", ["client", "server"])
def test_a_connection_that_breaks_does_not_stop_the_apply_and_the_same_command_follows_it(fleet: Fleet, control: Control, end: str) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine)
    running = begun(control, machine)
    if end == "client":
        for pid in clients(running.pid):
            os.kill(pid, signal.SIGKILL)
    else:
        machine.machine.run("kill", "-KILL", *map(str, machine.processes("sshd: admin")))
    _, said = running.communicate(timeout=30)

    assert running.returncode == 4, said
    assert "the connection to ssh://admin@" in said
    assert "is followed to its end" in said

    again = control.run("apply")

    assert "over another connection" in again.stderr
    finished_once(control, machine)


def test_a_control_machine_that_is_killed_is_told_of_the_whole_run_afterwards(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine, seconds=1)
    running = begun(control, machine)
    running.kill()
    running.communicate(timeout=30)
    until("the run has ended", machine.machine.path("/srv/app/last").exists)
    until("nothing runs any more", lambda: machine.processes("python3") == [])

    applied = control.document("apply")

    assert [change["outcome"] for change in applied["hosts"][0]["outcomes"]] == ["done"] * 3
    finished_once(control, machine)


def test_ctrl_c_says_that_the_apply_goes_on(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine, seconds=2)
    running = begun(control, machine)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)

    assert running.returncode == 130, said
    assert "the apply goes on there; run the same command again to follow it to its end" in " ".join(said.split())

    control.run("apply")

    finished_once(control, machine)


def test_what_was_declared_since_comes_after_what_was_begun(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine, seconds=1)
    running = begun(control, machine)
    running.kill()
    running.communicate(timeout=30)
    until("nothing runs any more", lambda: machine.processes("python3") == [])
    declare(control, fleet, machine, seconds=1, more="      - file: {path: /srv/app/more, content: more}")

    control.run("apply")

    assert machine.text("/srv/app/more") == "more"
    assert machine.text("/srv/ran") == "ran\n"
    assert entries(control) == ["apply.intended", "apply.done"] * 2


def test_a_process_that_is_killed_on_the_host_is_told_and_finished_by_the_same_command(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine, seconds=2)
    running = begun(control, machine)
    holder = json.loads(machine.text("/var/lib/vitrify/lock"))["pid"]
    machine.machine.run("kill", "-KILL", str(holder))
    _, said = running.communicate(timeout=30)

    assert running.returncode == 3, said
    assert "ended in the middle of its work" in said

    control.run("apply")

    assert machine.text("/srv/app/last") == "the last one\n"
    assert entries(control) == ["apply.intended", "apply.done"]
