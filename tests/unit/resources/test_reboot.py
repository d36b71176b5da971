"""When a host is restarted, and that it is restarted once."""

from __future__ import annotations

import pytest

from vitrify.core.boot import boot
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change, difference
from vitrify.core.digest import JSON
from vitrify.core.plan import Seen, plan_host
from vitrify.core.resource import Address, Observation, Resource, Sureness
from vitrify.core.system import Completed, Target
from vitrify.resources.reboot import Reboot
from vitrify.resources.registry import all_kinds
from vitrify.testing.memory_programs import MemorySystemctl
from vitrify.testing.memory_system import MemorySystem, Node, Program

REBOOT = Reboot()
STAT = b"1 (init) S" + b" 0" * 18 + b" 33 0 0\n"
GRUB = Resource(Address("file", "/etc/grub"), {"path": "/etc/grub", "content": "sha256:00", "mode": "0644"})


def machine(**programs: Program) -> MemorySystem:
    system = MemorySystem(target=Target.HOST, programs=programs)
    system.put("/proc/sys/kernel/random/boot_id", Node("file", content=b"first\n"))
    system.put("/proc/1/stat", Node("file", content=STAT))
    return system


def wish(*after: Address, **fields: JSON) -> Resource:
    return Resource(Address("reboot", "host"), fields, after=after)


def change(resource: Resource, system: MemorySystem) -> Change | None:
    return difference(resource, desired=REBOOT.desired(resource), seen=REBOOT.observe(resource, system))


def test_a_container_that_started_anew_goes_by_another_name_though_its_kernel_did_not() -> None:
    system = machine()
    before = boot(system)
    system.put("/proc/1/stat", Node("file", content=STAT.replace(b" 33 ", b" 34 ")))

    assert boot(system) != before
    assert boot(MemorySystem()) == ""


def test_a_restart_that_was_begun_is_not_made_again_in_the_next_start() -> None:
    system = machine(systemctl=(systemctl := MemorySystemctl()))
    due = change(wish(always=True), system)
    assert due is not None
    REBOOT.enact(due, system)
    name = boot(system)

    REBOOT.enact(due, system)

    assert boot(system) == name
    assert systemctl.told == []
    assert change(wish(always=True), system) is not None, "for the next apply"


def test_what_is_not_due_any_more_when_its_turn_comes_restarts_nothing() -> None:
    system = machine(systemctl=MemorySystemctl())
    system.put("/run/reboot-required", Node("file"))
    due = change(wish(when_required=True), system)
    assert due is not None
    system.remove("/run/reboot-required")

    REBOOT.enact(due, system)

    assert boot(system).startswith("first")


def test_a_host_without_systemd_is_left_alone() -> None:
    system = machine()
    due = Change(wish(always=True), Action.UPDATE, before={}, after={"type": "reboot", "due": False})

    with pytest.raises(TargetFailed, match="cannot be restarted from here") as refused:
        REBOOT.enact(due, system)

    assert refused.value.diagnostics[0].why == "it has no systemd"


def test_a_host_that_does_not_go_down_is_a_failure() -> None:
    system = machine(systemctl=lambda _system, _command: Completed(0, "", ""))
    due = change(wish(always=True), system)
    assert due is not None

    with pytest.raises(TargetFailed, match="told to restart and did not"):
        REBOOT.enact(due, system)


def test_a_debt_outlives_everything_but_a_restart() -> None:
    system, resource = machine(systemctl=MemorySystemctl()), wish(reboot_on=["file:/etc/grub"])
    REBOOT.owe(resource, "look", system)
    assert change(resource, system) is None
    REBOOT.owe(resource, "reboot", system)
    due = change(resource, system)
    assert due is not None

    REBOOT.enact(due, system)

    assert change(resource, system) is None


@pytest.mark.parametrize(
    ("resource", "sureness", "reason"),
    [
        (wish(GRUB.address, when_required=True), Sureness.ASSUMED, "look: file:/etc/grub changes"),
        (wish(reboot_on=["file:/etc/grub"]), Sureness.CERTAIN, "reboot: file:/etc/grub changes"),
    ],
)
def test_a_plan_foresees_a_restart_that_its_own_changes_bring(resource: Resource, sureness: Sureness, reason: str) -> None:
    nothing = Observation(GRUB.address, {"type": "missing"})
    quiet = Observation(resource.address, {"type": "reboot", "due": False})

    planned = plan_host(
        [GRUB, resource], Seen({GRUB.address: nothing, resource.address: quiet}, ()), kinds=all_kinds(), diff=lambda _wish, _seen: ""
    )

    made = planned.changes[-1]
    assert (made.resource.address, made.sureness, made.because[0], made.undoable) == (resource.address, sureness, reason, False)


def test_in_a_folder_a_plan_says_that_nothing_is_restarted() -> None:
    system, resource = MemorySystem(target=Target.FOLDER), wish(when_required=True)
    system.put("/run/reboot-required", Node("file"))

    assert change(resource, system) is None
    assert REBOOT.notices(resource, REBOOT.observe(resource, system)) == ("reboot:host has no meaning in a folder: nothing is restarted",)


@pytest.mark.parametrize(
    "fields", [{}, {"always": False}, {"always": True, "when_required": True}, {"reboot_on": ["x"]}, {"always": True, "timeout": "soon"}]
)
def test_a_reboot_says_when(fields: dict[str, JSON]) -> None:
    assert REBOOT.schema.problems(fields, absent=False)
