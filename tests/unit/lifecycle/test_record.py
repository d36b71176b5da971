"""What the stories tell the ledger is told once, and found again."""

from __future__ import annotations

import pytest
from bench import Bench

from vitrify.lifecycle import record


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_one_operation_tells_one_thing_once(bench: Bench) -> None:
    ledger = bench.ledger

    first = record.once(ledger, "switch.done", {"operation": "a"}, since=0)
    other_kind = record.once(ledger, "switch.back", {"operation": "a"}, since=0)
    other_operation = record.once(ledger, "switch.done", {"operation": "b"}, since=0)
    again = record.once(ledger, "switch.done", {"operation": "a"}, since=0)

    assert (first, other_kind, other_operation, again) == (0, 1, 2, 0)


def test_what_was_told_before_an_operation_began_is_not_its_own(bench: Bench) -> None:
    record.once(bench.ledger, "apply.done", {"operation": "a"}, since=0)

    assert record.once(bench.ledger, "apply.done", {"operation": "a"}, since=1) == 1


@pytest.mark.parametrize("later", [0, 1, 255, 256, 257, 600])
def test_the_newest_entry_is_found_however_far_back_it_is(bench: Bench, later: int) -> None:
    for number in range(2):
        bench.ledger.append("apply.done", {"server": "web", "host": "one", "number": number})
    for _ in range(later):
        bench.ledger.append("apply.done", {"server": "shop"})

    found = record.last(bench.ledger, server="web", kinds=("apply.done", "apply.failed"))

    assert found is not None
    assert found.body["number"] == 1


def test_an_entry_is_about_its_server_and_host_alone(bench: Bench) -> None:
    bench.ledger.append("apply.done", {"server": "web", "host": "one"})
    bench.ledger.append("apply.done", {"server": "web", "host": "two"})

    found = record.last(bench.ledger, server="web", host="one", kinds=("apply.done",))

    assert found is not None
    assert found.sequence == 0
    assert record.last(bench.ledger, server="web", host="three", kinds=("apply.done",)) is None
    assert record.last(bench.ledger, server="web", kinds=("undo.done",)) is None


def test_a_plan_is_unfinished_from_its_first_intent_to_the_end_of_what_it_intended(bench: Bench) -> None:
    ledger = bench.ledger
    here, there = ("db", "a"), ("db", "b")
    assert not record.unfinished(ledger, "sha256:1", [here])
    ledger.append("apply.intended", {"operation": "r1", "server": "db", "host": "a", "plan": "sha256:1"})
    assert record.unfinished(ledger, "sha256:1", [here, there])
    assert not record.unfinished(ledger, "sha256:2", [here])
    ledger.append("switch.done", {"operation": "r1", "server": "db", "host": "a"})
    assert record.unfinished(ledger, "sha256:1", [here]), "a step of it is not its end"
    ledger.append("apply.done", {"operation": "r1", "server": "db", "host": "a"})
    assert not record.unfinished(ledger, "sha256:1", [here])
    assert record.unfinished(ledger, "sha256:1", [there]), "it never came so far"
