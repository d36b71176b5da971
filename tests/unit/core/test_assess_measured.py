"""What a server costs, measured from ledgers that were made for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_ledgers import DAY, HOUR, NOW, a_server, applied, of, one, released, told

from vitrify.core.assess.figure import Known, Unknown
from vitrify.core.assess.measured import OPAQUE, Looked
from vitrify.core.declaration import Rollout
from vitrify.core.difference import Action, Change
from vitrify.core.report import Behind, Outdated
from vitrify.core.resource import Address, Resource, Sureness
from vitrify.core.strategy import Manner
from vitrify.resources.registry import all_kinds

WEB = Looked(a_server("web", image=True, replicas=2))


def _patch(name: str, *, security: bool = False) -> Behind:
    return Behind(name, "1", "2", (), security=security, held=False, published_at=None)


def test_of_an_empty_ledger_nothing_is_known_and_it_is_said_why() -> None:
    found = one()

    assert [name for name, figure in found.figures.items() if isinstance(figure, Known)] == ["extra"]
    assert found.change == Unknown("nothing was changed in place in the last 30 days")
    assert found.back == Unknown("nothing was undone in the last 30 days")
    assert found.drift == Unknown("the ledger tells of no look at it in the last 30 days")
    assert found.patched == Unknown("no package manager that is known tells")


def test_the_time_to_change_is_the_middle_of_all_changes_from_intent_to_outcome() -> None:
    found = one(*applied(5 * HOUR, 2.0), *applied(4 * HOUR, 8.0, name="b"), *applied(3 * HOUR, 3.0, name="c"))

    assert found.change == Known(3.0, 3, 8.0)


def test_what_one_command_did_on_two_hosts_is_one_change() -> None:
    first = applied(HOUR, 2.0, plan="p", bytes=10)
    second = applied(HOUR - 5, 4.0, name="b", host="db-1", plan="p", bytes=7)

    found = one(*first, *second, looked=Looked(a_server(hosts=2)))

    assert (found.change, found.size) == (Known(9.0), Known(17.0))


def test_the_same_plan_on_the_same_host_again_is_another_change() -> None:
    assert one(*applied(DAY, 2.0, plan="p"), *applied(HOUR, 4.0, name="b", plan="p")).change == Known(3.0, 2, 4.0)


def test_an_apply_that_changed_nothing_failed_or_lies_before_the_window_is_no_change() -> None:
    intended, _ = applied(HOUR, 2.0, name="f")
    empty = (told("apply.intended", 99, operation="e", changes=[]), told("apply.done", 98, operation="e"))

    found = one(*applied(31 * DAY, 50.0), *empty, intended, told("apply.failed", 9, operation="f"))

    assert found.change == Unknown("nothing was changed in place in the last 30 days")


def test_a_release_is_there_once_traffic_moved_and_its_bake_counts() -> None:
    baked = told("bake.done", HOUR + 1, server="web", image="i", ms=4_000, layers={"a": 100, "b": 50})

    found = one(baked, *released(HOUR, 2.5, image="i"), looked=WEB)

    assert (found.change, found.size) == (Known(6.5), Known(150.0))


def test_a_release_brings_the_layers_that_the_one_before_had_not() -> None:
    first = told("bake.done", 3 * HOUR, server="web", image="i", ms=0, layers={"a": 100, "b": 50})
    second = told("bake.done", 2 * HOUR, server="web", image="j", ms=0, layers={"a": 100, "c": 7})

    found = one(first, second, *released(HOUR, 1.0, image="j"), looked=WEB)

    assert found.size == Known(7.0)


def test_a_release_whose_traffic_went_back_was_no_change() -> None:
    failed = told("release.failed", 5, server="web", operation="r")

    assert isinstance(one(*released(HOUR, 1.0, image="i")[:2], failed, looked=WEB).change, Unknown)


def test_the_way_back_is_timed_in_either_life() -> None:
    undone = (told("undo.intended", 60, operation="u", host="db-0"), told("undo.done", 58.5, operation="u", host="db-0"))
    back = {"server": "web", "operation": "b", "host": "web-0"}
    rolled = (told("rollback.intended", 60, **back), told("switch.done", 59.75, **back))

    assert one(*applied(HOUR, 1.0), *undone).back == Known(1.5)
    assert one(*rolled, looked=WEB).back == Known(0.25)


def test_drift_counts_on_each_host_and_what_lasts_is_told() -> None:
    found = [told("finding", DAY, where="db-0", path=path, change="changed", answer="re-converge") for path in ("/a", "/b")]
    begun = told("apply.done", 3 * DAY, host="db-0", operation="x")
    mended = told("apply.done", HOUR, host="db-0", operation="y")

    of_one = one(begun, *found, mended)
    of_two = one(begun, *found, looked=Looked(a_server(hosts=2)))

    assert (of_one.unauthorised, of_one.drift) == (Known(2.0, 2), Known(0.5, 2))  # four days, the first and the last included
    assert of_two.unauthorised == Known(2.0, 2, told="2 of them not put right yet")
    assert of_two.drift == Known(0.25, 2)


def test_a_look_that_found_nothing_is_a_figure() -> None:
    assert one(told("audit.done", HOUR, findings={}, missed=[])).drift == Known(0.0, 0)


def test_what_a_server_was_like_before_it_was_flipped_does_not_count() -> None:
    before = (told("finding", 2 * DAY, server="web", where="web-0", path="/a", change="changed"), *applied(DAY, 9.0, server="web"))
    flipped = one(*before, *released(HOUR, 1.0, image="i"), looked=WEB)

    assert flipped.change == Known(1.0)
    assert flipped.unauthorised == Unknown("the ledger tells of no look at it in the last 30 days")


def test_the_host_that_was_patched_longest_ago_is_told_with_what_waits() -> None:
    rows = (
        Outdated("db", "db-0", "mutable", "apt", (_patch("a", security=True), _patch("b")), patched_at=NOW - 9 * DAY),
        Outdated("db", "db-1", "mutable", "apt", (), patched_at=NOW - 2 * DAY),
    )

    found = one(looked=Looked(a_server(hosts=2), behind=rows))

    assert found.patched == Known(9 * DAY, 2, told="2 behind, 1 for security")
    assert found.security == 1


def test_a_host_that_cannot_be_asked_is_told_and_is_no_figure() -> None:
    row = Outdated("db", "db-0", "mutable", problem="db-0 cannot be reached")

    found = of((), Looked(a_server(), behind=(row,)))

    assert found.servers[0].patched == Unknown("db-0 cannot be reached")
    assert found.problems == ("db on db-0: db-0 cannot be reached",)


@pytest.mark.parametrize(("strategy", "extra"), [("blue-green", 1.0), ("rolling", 0.25), ("recreate", 0.0)])
def test_how_many_instances_more_a_rollout_takes_is_by_its_strategy(strategy: str, extra: float) -> None:
    found = one(looked=Looked(a_server("web", image=True, replicas=4, strategy=strategy)))

    assert isinstance(found.extra, Known)
    assert found.extra.value == extra


def test_nothing_is_said_of_warm_instances_where_none_are_kept() -> None:
    cold = replace(a_server("web", image=True), rollout=Rollout(keep_warm=0.0, manner=Manner()))

    assert one(looked=Looked(cold)).extra == Known(1.0, told="1 more, by blue-green")


def test_commands_are_the_share_that_nobody_can_foresee() -> None:
    in_place = one(*applied(HOUR, 1.0, "file:/a", "command:make", "script:/b", "package:c"))
    image = one(looked=replace(WEB, releases=({"file:/a": "1"}, {"file:/a": "1", "command:make": "1"}, {"file:/a": "1"})))

    assert in_place.opaque == Known(0.5, 4, told="2 of 4")
    assert image.opaque == Known(2 / 3, 3, told="2 of 3")


def test_those_kinds_say_of_themselves_that_nobody_can_foresee_them() -> None:
    kinds = all_kinds()

    for name in OPAQUE:
        change = Change(Resource(Address(name, "x"), {}), Action.UPDATE, {}, {})
        assert kinds[name].sureness(change) is Sureness.OPAQUE
