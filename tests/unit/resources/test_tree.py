from __future__ import annotations

from dataclasses import replace

from vitrify.core.difference import Action, Change, difference
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Resource
from vitrify.resources.tree import Tree
from vitrify.testing.memory_system import Act, MemorySystem, Node

TREE = Tree()


def tree(system: MemorySystem, **files: str) -> Resource:
    entries: dict[str, JSON] = {
        name.replace("__", "/"): {"type": "file", "mode": "0644", "content": system.supply(content.encode())}
        for name, content in files.items()
    }
    return Resource(Address("tree", "/srv/app"), {"to": "/srv/app", "entries": entries})


def change(resource: Resource, system: MemorySystem) -> Change:
    made = difference(resource, desired=TREE.desired(resource), seen=TREE.observe(resource, system))
    assert made is not None
    return made


def test_only_what_differs_is_written() -> None:
    system = MemorySystem()
    wish = tree(system, a="1", b="2", c="3")
    for name, content in (("a", b"1"), ("b", b"changed"), ("c", b"3")):
        system.put(f"/srv/app/{name}", Node("file", content=content))
    made = change(wish, system)

    TREE.enact(made, system)

    assert system.acts == [Act("write", "/srv/app/b")]
    assert TREE.affected(made) == ("/srv/app", "/srv/app/b")


def test_a_change_of_a_large_tree_stays_small() -> None:
    system = MemorySystem()
    wish = tree(system, **{f"file{number}": str(number) for number in range(500)})
    for number in range(499):
        system.put(f"/srv/app/file{number}", Node("file", content=str(number).encode()))

    made = change(wish, system)

    assert made.before["differing"] == {"file499": {"type": "missing"}}
    assert len(made.after) == 2


def test_entries_are_put_in_place_from_the_outside_in() -> None:
    system = MemorySystem()
    system.put("/srv", Node("directory", mode="0755"))
    wish = tree(system, a="1")
    entries = wish.fields["entries"]
    assert isinstance(entries, dict)
    inner: dict[str, JSON] = {
        "z/y/x": entries["a"],
        "z/y": {"type": "directory", "mode": "0755"},
        "z": {"type": "directory", "mode": "0700"},
    }
    wish = replace(wish, fields={**wish.fields, "entries": inner})

    TREE.enact(change(wish, system), system)

    assert [act.subject for act in system.acts] == ["/srv/app", "/srv/app/z", "/srv/app/z/y", "/srv/app/z/y/x"]


def test_what_left_the_tree_is_a_leftover_unless_somebody_else_claims_it() -> None:
    system = MemorySystem()
    before, after = tree(system, a="1", b="2", c="3"), tree(system, c="3")

    assert TREE.leftover(after, before, frozenset()) == {"outdated": ["a", "b"]}
    assert TREE.leftover(after, before, frozenset({"/srv/app/a"})) == {"outdated": ["b"]}
    assert TREE.leftover(after, after, frozenset()) == {}
    assert TREE.leftover(after, before.gone(), frozenset()) == {}


def test_an_absent_tree_without_entries_takes_the_last_applied_ones_away() -> None:
    system = MemorySystem()
    before = tree(system, a="1")
    system.put("/srv/app/a", Node("file", content=b"1"))
    wish = Resource(before.address, {"to": "/srv/app"}, absent=True)
    made = replace(change(wish, system), before=TREE.leftover(wish, before, frozenset()))

    TREE.enact(made, system)

    assert made.action is Action.REMOVE
    assert set(system.tree()) == {"/", "/srv"}


def test_names_that_lead_out_of_the_tree_are_refused() -> None:
    for name in ("../x", "/x", "a/./b", "a//b", "", "a/"):
        problems = TREE.schema.problems({"to": "/srv/app", "entries": {name: {"type": "directory"}}}, resolved=True)
        assert [problem.summary for problem in problems] == ["not a path below the tree"]
