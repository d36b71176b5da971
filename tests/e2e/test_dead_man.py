"""Changes that could shut us out, on real machines over SSH: confirmed by a new login, or taken back by the machine itself."""

from __future__ import annotations

import time

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
    hosts: [{host}]
    resources:
      - file: {{path: /etc/ssh/sshd_config.d/90-shop.conf, content: "{line}\\n", mode: "0644"}}
      - service: {{name: ssh, running: true, restart_on: ["file:/etc/ssh/sshd_config.d/90-shop.conf"]}}
"""
SHUT = "DenyUsers root admin"
WITHIN = 30.0
"""Seconds that a machine has to open its door again."""


def declare(control: Control, fleet: Fleet, machine: Reached, line: str) -> None:
    control.declare(DECLARATION.format(config=fleet.config, host=machine.url(), line=line))


def left_behind(machine: Reached) -> list[str]:
    """What the timer keeps while it is armed."""
    places = ("etc/systemd/system", "etc/systemd/system/timers.target.wants", "var/lib/vitrify")
    return [path.name for place in places for path in machine.machine.path(f"/{place}").glob("vitrify-dead-man*")]


def failed(machine: Reached, timer: str) -> bool:
    told: str = machine.machine.run("systemctl", "show", "--property", "Result", timer.replace(".timer", ".service")).stdout
    return "exit-code" in told


def opened(control: Control) -> bool:
    until = time.monotonic() + WITHIN
    while time.monotonic() < until:
        if control.run("plan", expect=None).returncode == 0:
            return True
        time.sleep(0.5)
    return False


def test_a_change_that_lets_us_in_again_stands_and_leaves_no_timer(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine, "MaxAuthTries 7")

    assert "could shut us out" in " ".join(control.run("plan").stdout.split())
    assert "stands: a new connection was let in" in control.run("apply").stderr
    assert machine.text("/etc/ssh/sshd_config.d/90-shop.conf") == "MaxAuthTries 7\n"
    assert left_behind(machine) == []


def test_a_change_that_shuts_us_out_is_taken_back_by_the_machine_itself(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine, SHUT)

    told = control.run("apply", "--dead-man", "3", expect=4).stderr

    assert "takes run" in told
    until = time.monotonic() + WITHIN
    while left_behind(machine) and time.monotonic() < until:
        time.sleep(0.1)
    assert opened(control)
    assert not machine.machine.path("/etc/ssh/sshd_config.d/90-shop.conf").exists()
    assert left_behind(machine) == []
    kinds = [entry["kind"] for entry in control.document("ledger", "show", "-n", "20")["entries"]]
    assert "apply.failed" in kinds
    assert "apply.done" not in kinds


def test_the_timer_outlives_the_machine_going_down(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine, SHUT)
    applying = control.start("apply", "--dead-man", "6")
    until = time.monotonic() + WITHIN
    while not machine.machine.path("/etc/ssh/sshd_config.d/90-shop.conf").exists() and time.monotonic() < until:
        time.sleep(0.05)
    applying.kill()
    applying.communicate()

    wants = machine.machine.path("/etc/systemd/system/timers.target.wants")
    (timer,) = wants.glob("vitrify-dead-man*.timer")
    # What systemd starts when it comes up again: the same timer, from the same files, with its time before it.
    machine.machine.run("systemctl", "stop", timer.name)
    broken = machine.machine.path("/etc/ssh/sshd_config.d/91-broken.conf")
    broken.write_text("Nonsense\n")
    machine.machine.run("systemctl", "start", "timers.target")
    until = time.monotonic() + WITHIN
    while not failed(machine, timer.name) and time.monotonic() < until:
        time.sleep(0.2)
    assert left_behind(machine) != []
    broken.unlink()

    until = time.monotonic() + WITHIN
    while left_behind(machine) and time.monotonic() < until:
        time.sleep(0.2)
    assert left_behind(machine) == []
    assert not machine.machine.path("/etc/ssh/sshd_config.d/90-shop.conf").exists()
    assert opened(control)


def test_whoever_comes_back_after_being_killed_confirms_what_the_machine_did_meanwhile(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine, "MaxAuthTries 7")
    applying = control.start("apply", "--dead-man", "8")
    until = time.monotonic() + WITHIN
    while not left_behind(machine) and time.monotonic() < until:
        time.sleep(0.02)
    applying.kill()
    applying.communicate()

    told = control.run("apply", "--dead-man", "8").stderr
    time.sleep(9.0)

    assert "stands: a new connection was let in" in told
    assert machine.text("/etc/ssh/sshd_config.d/90-shop.conf") == "MaxAuthTries 7\n"
    assert left_behind(machine) == []


def test_without_a_timer_the_change_is_trusted(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    declare(control, fleet, machine, "MaxAuthTries 7")
    told = control.run("apply", "--dead-man", "0").stderr
    assert "stands" not in told
    assert left_behind(machine) == []
