from __future__ import annotations

from vitrify.core.difference import difference
from vitrify.core.resource import Address, Resource
from vitrify.resources.directory import Directory
from vitrify.resources.link import Link
from vitrify.testing.memory_system import MemorySystem, Node

DIRECTORY, LINK = Directory(), Link()


def folder(path: str, *, absent: bool = False) -> Resource:
    return Resource(Address("directory", path), {"path": path}, absent=absent)


def test_an_absent_folder_comes_after_all_that_is_in_it() -> None:
    others = [folder("/srv/app", absent=True), folder("/srv/app/a"), folder("/srv/apple"), folder("/srv")]
    file = Resource(Address("file", "/srv/app/x"), {"path": "/srv/app/x"}, absent=True)

    found = DIRECTORY.implied(others[0], {one.address: one for one in [*others, file]})

    assert [str(address) for address in found] == ["directory:/srv/app/a", "file:/srv/app/x"]


def test_a_folder_that_is_used_by_others_meanwhile_makes_no_plan_stale() -> None:
    system = MemorySystem()
    system.put("/srv/app/a", Node("file"))
    seen = DIRECTORY.observe(folder("/srv/app"), system)
    system.put("/srv/app/b", Node("file"))

    assert DIRECTORY.observe(folder("/srv/app"), system) == seen


def test_a_folder_that_is_to_go_and_fills_meanwhile_makes_the_plan_stale() -> None:
    system = MemorySystem()
    system.put("/srv/app", Node("directory", mode="0755"))
    seen = DIRECTORY.observe(folder("/srv/app", absent=True), system)
    system.put("/srv/app/b", Node("file"))

    assert DIRECTORY.observe(folder("/srv/app", absent=True), system) != seen


def test_a_folder_that_is_emptied_before_its_turn_is_removed() -> None:
    system = MemorySystem()
    system.put("/srv/app/a", Node("file"))
    wish = folder("/srv/app", absent=True)
    change = difference(wish, desired=DIRECTORY.desired(wish), seen=DIRECTORY.observe(wish, system))
    assert change is not None
    system.remove("/srv/app/a")

    DIRECTORY.enact(change, system)

    assert system.stat("/srv/app") is None


def test_a_link_must_lead_somewhere_unless_it_is_absent() -> None:
    assert [problem.summary for problem in LINK.schema.problems({"path": "/x"})] == ["the field `to` is missing"]
    assert [problem.summary for problem in LINK.schema.problems({"path": "/x", "to": ""})] == ["a link must lead somewhere"]
    assert [problem.summary for problem in LINK.schema.problems({"path": "/x", "to": "a\nb"})] == ["a path cannot hold control characters"]
    assert LINK.schema.problems({"path": "/x"}, absent=True) == []
