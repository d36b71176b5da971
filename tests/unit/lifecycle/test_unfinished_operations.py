"""What was begun and not ended is resumed where it is still wanted, and else ended first: forwards where traffic has moved."""

from __future__ import annotations

import pytest
from bench import Bench, a_server


@pytest.fixture
def bench() -> Bench:
    return Bench()


def left_open(bench: Bench, greeting: str, point: str) -> None:
    planned = bench.plan(a_server(greeting))
    with bench.killed_at(point):
        bench.apply(a_server(greeting), planned)


def test_an_unfinished_release_of_what_is_declared_is_resumed(bench: Bench) -> None:
    left_open(bench, "one", "gate.intent")

    planned = bench.plan(a_server("one"))
    bench.apply(a_server("one"), planned)

    assert (planned.kind, planned.release, planned.because) == ("resume", 1, ("its release was interrupted",))
    assert planned.launch == 0, "what was launched before is there"
    assert bench.states() == {1: "live"}


def test_an_unfinished_release_of_something_else_is_taken_back_first(bench: Bench) -> None:
    bench.apply(a_server("one"))
    left_open(bench, "two", "gate.intent")

    planned = bench.plan(a_server("three"))
    bench.apply(a_server("three"), planned)

    assert planned.notices == ("an unfinished release of release 2 is ended first",)
    assert bench.states() == {1: "warm", 2: "aborted", 3: "live"}
    assert bench.running(release=2) == []


def test_an_unfinished_release_that_has_traffic_already_is_finished_first(bench: Bench) -> None:
    bench.apply(a_server("one"))
    left_open(bench, "two", "switch.act")

    bench.apply(a_server("three"))

    assert (bench.states(), bench.slots()) == ({1: "stopped", 2: "warm", 3: "live"}, (3, 2))


def test_who_returns_to_what_is_live_needs_no_release_but_the_end_of_the_unfinished_one(bench: Bench) -> None:
    bench.apply(a_server("one"))
    left_open(bench, "two", "gate.intent")

    planned = bench.plan(a_server("one"))
    released = bench.apply(a_server("one"), planned)

    assert (planned.kind, planned.because) == ("replace", ("what was begun with release 2 is not wanted any more",))
    assert (released.kind, bench.states()) == ("none", {1: "live", 2: "aborted"})
    assert bench.plan(a_server("one")).empty


def test_who_returns_to_what_was_live_before_the_switch_gets_a_release_of_it(bench: Bench) -> None:
    bench.apply(a_server("one"))
    left_open(bench, "two", "switch.act")

    planned = bench.plan(a_server("one"))
    bench.apply(a_server("one"), planned)

    assert (planned.kind, planned.because) == ("release", ("release 1 does not stay live",))
    assert (bench.slots(), bench.states()) == ((3, 2), {1: "stopped", 2: "warm", 3: "live"})


def test_an_unfinished_replacement_is_resumed_and_is_no_second_release(bench: Bench) -> None:
    bench.apply(a_server("one", replicas=2))
    bench.runtime.alter(bench.serving()[0], "/srv/backdoor")
    planned = bench.plan(a_server("one", replicas=2))
    with bench.killed_at("launch.act"):
        bench.apply(a_server("one", replicas=2), planned)

    again = bench.plan(a_server("one", replicas=2))
    released = bench.apply(a_server("one", replicas=2), again)

    assert (again.kind, again.launch, again.because) == ("resume", 1, ("its replacement was interrupted",))
    assert (released.kind, bench.states()) == ("replace", {1: "live"})
    assert len(bench.instances()) == 2


def test_an_unfinished_retirement_is_finished_before_the_server_comes_back(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.changes.clear()
    with bench.killed_behind(3):
        bench.retire()

    planned = bench.plan(a_server("one"))
    bench.apply(a_server("one"), planned)

    assert (planned.kind, planned.release) == ("release", 2)
    assert planned.because == ("release 1 does not stay live",)
    assert bench.states() == {1: "discarded", 2: "live"}
    assert bench.running(release=1) == []


def test_a_rollback_finishes_the_rollback_that_was_cut_short_and_no_further_one(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.apply(a_server("two"))
    with bench.killed_at("switch.act"):
        bench.rollback()

    assert bench.rollback().release == 1
    assert bench.slots() == (1, 2)


def test_a_rollback_ends_an_unfinished_release_before_it_goes_back(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.apply(a_server("two"))
    left_open(bench, "three", "switch.act")

    assert bench.rollback().release == 2
    assert bench.slots() == (2, 3)
