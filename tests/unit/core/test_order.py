from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from vitrify.core.diagnostic import DeclarationInvalid, Location
from vitrify.core.order import order
from vitrify.core.resource import Address, Kinds, Resource
from vitrify.resources.registry import all_kinds

KINDS: Kinds = all_kinds()


def wish(name: str, *, after: tuple[str, ...] = (), line: int = 0, absent: bool = False) -> Resource:
    address = Address.parse(name)
    fields: Mapping[str, Mapping[str, object]] = {
        "file": {"path": address.name},
        "directory": {"path": address.name},
        "command": {"name": address.name, "run": ["/bin/true"], "always": True},
    }
    where = Location("vitrify.yaml", line, 1) if line else None
    return Resource(address, dict(fields[address.kind]), tuple(map(Address.parse, after)), absent, where=where)  # type: ignore[arg-type]  # JSON


def names(*resources: Resource) -> list[str]:
    return [str(resource.address) for resource in order(resources, kinds=KINDS).resources]


def test_without_edges_the_list_stays_as_it_was_written() -> None:
    wishes = [wish(f"file:/x{number}") for number in (3, 1, 2)]

    assert names(*wishes) == ["file:/x3", "file:/x1", "file:/x2"]
    assert order(wishes, kinds=KINDS).notices == ()


def test_an_after_that_agrees_with_the_list_changes_nothing() -> None:
    found = order([wish("file:/a"), wish("file:/b", after=("file:/a",))], kinds=KINDS)

    assert [str(resource.address) for resource in found.resources] == ["file:/a", "file:/b"]
    assert not found.notices


def test_an_after_moves_a_resource_behind_what_it_waits_for() -> None:
    assert names(wish("file:/a", after=("file:/c",)), wish("file:/b"), wish("file:/c")) == ["file:/b", "file:/c", "file:/a"]


def test_an_edge_that_contradicts_the_list_is_told_with_both_places_and_its_reason() -> None:
    found = order([wish("file:/a", after=("file:/b",), line=3), wish("file:/b", line=4)], kinds=KINDS)

    assert found.notices == (
        "`file:/a` (vitrify.yaml:3:1) acts after `file:/b` (vitrify.yaml:4:1), which is written below it (its `after` says so)",
    )


def test_a_file_acts_after_its_folder_even_if_it_is_written_before() -> None:
    found = order([wish("file:/srv/app/x"), wish("directory:/srv/app"), wish("directory:/srv")], kinds=KINDS)

    assert [resource.address.name for resource in found.resources] == ["/srv", "/srv/app", "/srv/app/x"]
    assert all("what it is implies so" in notice for notice in found.notices)
    assert len(found.notices) == 3


def test_an_absent_folder_goes_after_the_absent_things_in_it() -> None:
    assert names(wish("directory:/srv", absent=True), wish("file:/srv/x", absent=True)) == ["file:/srv/x", "directory:/srv"]


def test_nothing_moves_across_a_command_that_no_edge_forces() -> None:
    found = names(wish("command:one", after=("file:/late",)), wish("file:/other"), wish("file:/late"))

    assert found == ["file:/late", "command:one", "file:/other"]


def test_what_is_written_before_a_command_stays_before_it_when_something_else_must_cross() -> None:
    found = names(wish("file:/a", after=("command:c",)), wish("file:/b"), wish("command:c"), wish("file:/d"))

    assert found == ["file:/b", "command:c", "file:/a", "file:/d"]


def test_an_edge_across_a_command_is_told_with_the_command() -> None:
    found = order([wish("file:/a", after=("file:/b",)), wish("command:c"), wish("file:/b")], kinds=KINDS)

    assert "across command:c" in found.notices[0]
    assert [str(resource.address) for resource in found.resources] == ["file:/b", "file:/a", "command:c"]


def test_what_an_edge_pulls_across_a_command_brings_what_it_needs() -> None:
    found = names(
        wish("file:/a", after=("file:/e",)), wish("command:c"), wish("file:/d"), wish("file:/e", after=("file:/f",)), wish("file:/f")
    )

    assert found == ["file:/f", "file:/e", "file:/a", "command:c", "file:/d"]


def test_a_circle_is_an_error_that_names_every_resource_in_it_with_its_place() -> None:
    wishes = [
        wish("file:/a", after=("file:/c",), line=2),
        wish("file:/b", after=("file:/a",), line=3),
        wish("file:/c", after=("file:/b",), line=4),
        wish("file:/innocent", after=("file:/a",), line=5),
    ]

    with pytest.raises(DeclarationInvalid) as error:
        order(wishes, kinds=KINDS)

    (circle,) = error.value.diagnostics
    assert circle.where == Location("vitrify.yaml", 2, 1)
    assert "`file:/a` -> `file:/c` -> `file:/b`" in circle.summary
    assert all(f"vitrify.yaml:{line}:1" in circle.why for line in (2, 3, 4))
    assert "/innocent" not in str(circle)


def test_two_circles_are_told_at_once() -> None:
    wishes = [
        wish("file:/a", after=("file:/b",), line=1),
        wish("file:/b", after=("file:/a",), line=2),
        wish("file:/c", after=("file:/d",), line=3),
        wish("file:/d", after=("file:/c",), line=4),
    ]

    with pytest.raises(DeclarationInvalid) as error:
        order(wishes, kinds=KINDS)

    assert [diagnostic.where.line for diagnostic in error.value.diagnostics if diagnostic.where] == [1, 3]


def test_an_after_may_point_at_itself_only_as_an_error() -> None:
    with pytest.raises(DeclarationInvalid, match="in a circle: `file:/a`"):
        order([wish("file:/a", after=("file:/a",))], kinds=KINDS)


def test_an_after_that_leads_nowhere_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(DeclarationInvalid, match="did you mean `file:/etc/motd`"):
        order([wish("file:/etc/motd"), wish("file:/b", after=("file:/etc/mtod",))], kinds=KINDS)


@pytest.mark.parametrize("seed", range(40))
def test_any_graph_without_circles_is_ordered_so_that_every_edge_and_every_free_barrier_holds(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  a case to try, not a secret
    size = 30
    rank = chance.sample(range(size), size)
    kinds = ["command" if chance.random() < 0.2 else "file" for _ in range(size)]
    every = [f"{kinds[place]}:/x{place}" for place in range(size)]
    edges = {place: [other for other in range(size) if rank[other] < rank[place] and chance.random() < 0.05] for place in range(size)}
    wishes = [wish(every[place], after=tuple(every[other] for other in edges[place])) for place in range(size)]

    position = {name: index for index, name in enumerate(names(*wishes))}

    assert all(position[every[other]] < position[every[place]] for place in edges for other in edges[place])
    assert len(position) == size
    unbound = {place for place in range(size) if not edges[place] and not any(place in before for before in edges.values())}
    for barrier in (place for place in range(size) if kinds[place] == "command"):
        crossing = {place for place in unbound - {barrier} if (position[every[place]] < position[every[barrier]]) != (place < barrier)}
        assert not crossing or barrier not in unbound, f"{crossing} crossed {barrier}"


def test_a_resource_without_edges_does_not_cross_a_command_because_others_do() -> None:
    found = names(
        wish("command:first", after=("command:second", "file:/last")),
        wish("file:/between"),
        wish("command:second"),
        wish("file:/bystander"),
        wish("file:/last"),
    )

    assert found == ["command:second", "file:/last", "command:first", "file:/between", "file:/bystander"]
