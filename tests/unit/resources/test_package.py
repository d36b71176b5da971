"""What a plan says of packages where nothing can be asked, and what must never be done."""

from __future__ import annotations

from functools import partial

import pytest

from vitrify.core.diagnostic import DeclarationInvalid, TargetFailed
from vitrify.core.difference import Action, Change, difference
from vitrify.core.digest import JSON
from vitrify.core.packaging import Due, Effect, Foreseen, Package, Wanted, refuse_unnamed
from vitrify.core.resource import Address, Resource, Sureness
from vitrify.core.system import Command, Completed, Target
from vitrify.resources.package import PackageKind
from vitrify.testing.memory_system import MemorySystem, Node

KIND = PackageKind()
FOO = Resource(Address("package", "foo"), {"name": "foo"})
STATUS = "Package: foo\nStatus: install ok installed\nArchitecture: all\nVersion: 1.0\n"


def root(target: Target = Target.FOLDER, **programs: Completed) -> MemorySystem:
    """A root with an apt, and these programs that answer the same whatever they are asked."""
    stand_ins = {name: partial(_answer, answer) for name, answer in programs.items()}
    found = MemorySystem(target=target, programs=stand_ins)
    found.put("/usr/bin/apt-get", Node("file", mode="0755"))
    return found


def _answer(answer: Completed, _system: MemorySystem, _command: Command) -> Completed:
    return answer


def planned(resource: Resource, system: MemorySystem) -> Change:
    change = difference(resource, desired=KIND.desired(resource), seen=KIND.observe(resource, system))
    assert change is not None
    return change


def test_a_root_that_no_program_runs_in_is_told_in_the_plan_and_fails_in_the_apply() -> None:
    change = planned(FOO, root())

    assert "cat cannot be started" in KIND.because(change)[1]
    assert KIND.sureness(change) is Sureness.ASSUMED
    with pytest.raises(TargetFailed, match="cat cannot be started"):
        KIND.enact(change, root())


def test_whoever_has_a_single_user_id_is_told_to_be_root() -> None:
    single = root(cat=Completed(0, "         0       1000          1\n", ""))

    assert "only root can give files to others" in KIND.because(planned(FOO, single))[1]
    with pytest.raises(TargetFailed, match="packages cannot be installed into this root") as refused:
        KIND.enact(planned(FOO, single), single)
    assert "run the same command as root" in str(refused.value)


def test_of_an_image_that_nobody_can_bake_this_way_the_declaration_is_at_fault() -> None:
    image = root(Target.IMAGE, cat=Completed(0, "         0       1000          1\n", ""))

    with pytest.raises(DeclarationInvalid, match="packages cannot be installed into this image") as refused:
        KIND.enact(planned(FOO, image), image)
    assert "or bake upon a base that has the packages already" in str(refused.value)


def due(*also: Effect, stale: bool = False) -> Due:
    return Due(Wanted("foo"), Package(), Foreseen(also=also, stale=stale))


LIBRARY, VICTIM = Effect("install", "lib", new="1"), Effect("remove", "victim", old="1")


def test_what_the_plan_named_is_done_and_nothing_else() -> None:
    refuse_unnamed([Effect("install", "foo", new="1"), LIBRARY], [due(LIBRARY)])

    with pytest.raises(TargetFailed, match="would do more than the plan says") as refused:
        refuse_unnamed([LIBRARY], [due()])
    assert "also installs lib 1" in str(refused.value)


def test_a_removal_is_named_or_refused_even_where_the_lists_were_renewed() -> None:
    refuse_unnamed([LIBRARY], [due(stale=True)])

    with pytest.raises(TargetFailed, match="would do more"):
        refuse_unnamed([VICTIM], [due(stale=True)])


def test_a_package_that_is_wished_for_is_not_removed_as_its_own_change() -> None:
    with pytest.raises(TargetFailed, match="also REMOVES foo 1"):
        refuse_unnamed([Effect("remove", "foo", old="1")], [due()])


def test_a_purge_cannot_be_undone_and_a_removal_can() -> None:
    gone = Resource(Address("package", "foo"), {"name": "foo", "purge": True}, absent=True)
    before = {"type": "package", "installed": "1.0", "version": "1.0"}

    assert not KIND.undoable(Change(gone, Action.REMOVE, before=before, after={"type": "missing"}))
    assert KIND.undoable(Change(FOO.gone(), Action.REMOVE, before=before, after={"type": "missing"}))


def test_the_way_back_puts_every_version_where_it_was() -> None:
    before: dict[str, JSON] = {"type": "package", "installed": "1.0", "hold": True, "automatic": False}
    before["also"] = ["change lib 1 2", "remove x 7"]

    inverse = KIND.inverse(Change(FOO, Action.UPDATE, before=before, after={"type": "package", "version": "2.0"}))

    assert inverse is not None
    assert inverse.before["back"] == ["install foo 1.0", "install lib 1", "install x 7"]
    assert (inverse.after["hold"], inverse.after["automatic"]) == (True, False)


def test_looking_at_what_is_as_wished_runs_no_program() -> None:
    system = root()
    system.put("/var/lib/dpkg/status", Node("file", content=STATUS.encode()))

    assert KIND.observe(FOO, system).properties["installed"] == "1.0"
    assert system.acts == []
