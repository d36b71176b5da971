"""A few instances at a time: never more than may run, never fewer than must serve."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import ROLLOUT, Bench, a_server, with_rollout
from hypothesis import given
from hypothesis import strategies as st

from vitrify.core.batch import Share
from vitrify.core.declaration import Server
from vitrify.core.diagnostic import PreviousStillServing, TargetFailed
from vitrify.core.instance import Instance
from vitrify.core.strategy import Manner
from vitrify.lifecycle.strategy.turn import next_turn


def rolling(greeting: str, *, replicas: int = 3, surge: int = 1, unavailable: int = 0, **more: object) -> Server:
    manner = Manner(max_surge=Share(surge), max_unavailable=Share(unavailable))
    rollout = replace(ROLLOUT, strategy="rolling", probation=0.0, manner=manner)
    return a_server(greeting, replicas=replicas, rollout=rollout, **more)  # type: ignore[arg-type]


@pytest.fixture
def bench() -> Bench:
    found = Bench()
    found.apply(rolling("one"))
    return found


@given(old=st.integers(0, 6), replicas=st.integers(1, 6), surge=st.integers(0, 3), unavailable=st.integers(0, 6))
def test_turn_by_turn_it_ends_within_its_bounds(old: int, replicas: int, surge: int, unavailable: int) -> None:
    manner = Manner(max_surge=Share(surge), max_unavailable=Share(unavailable))
    extra, lacking = manner.surge(replicas), manner.lacking(replicas)
    there = [Instance(f"old-{number}", "", "running", number, {}) for number in range(old)]
    new, turns = 0, 0
    while (turn := next_turn(new, there, replicas, surge=extra, lacking=lacking)) is not None:
        assert turn.new + len(there) <= max(replicas + extra, len(there), old), "never more than may run"
        assert turn.new + len(turn.staying) >= min(replicas - lacking, new + len(there)), "never fewer than must serve"
        assert (turn.new, turn.leaving) != (new, ()), "each turn gets on"
        assert turn.new or turn.staying, "requests always go somewhere"
        new, there, turns = turn.new, list(turn.staying), turns + 1
    assert (new, there) == (replicas, [])
    assert turns <= 2 * (old + replicas)


def test_the_new_ones_come_one_by_one_and_the_old_ones_leave(bench: Bench) -> None:
    seen: list[int] = []
    for number in range(40):
        bench.clock.after(number * 0.1, lambda: seen.append(len(bench.running())))

    released = bench.apply(rolling("two"))

    assert max(seen) == 4, "one more than declared"
    assert bench.serving() == list(released.instances) == bench.running()
    assert len(released.instances) == 3
    assert (bench.slots(), bench.states()) == ((2, 1), {1: "warm", 2: "live"})
    assert [len(to.addresses) for _, to in bench.router.switches[1:]] == [3, 3, 3, 3]


def test_where_some_may_be_lacking_nothing_runs_beside_what_is_declared(bench: Bench) -> None:
    seen: list[int] = []
    for number in range(40):
        bench.clock.after(number * 0.1, lambda: seen.append(len(bench.running())))

    bench.happens_at["roll.act"] = lambda: seen.append(len(bench.running()))

    bench.apply(rolling("two", surge=0, unavailable=1))

    assert (min(seen), max(seen)) == (2, 3)
    assert [len(to.addresses) for _, to in bench.router.switches[1:]] == [2, 2, 2, 3, 3]


@pytest.mark.parametrize(("before", "after"), [(3, 5), (3, 1), (1, 3)])
def test_the_number_of_replicas_may_change_on_the_way(before: int, after: int) -> None:
    bench = Bench()
    bench.apply(rolling("one", replicas=before))

    bench.apply(rolling("two", replicas=after))

    assert len(bench.serving()) == len(bench.running()) == after
    assert bench.slots() == (2, 1)


def test_old_ones_leave_once_they_have_answered(bench: Bench) -> None:
    address = bench.address(bench.serving()[0])
    bench.router.begin(address)
    bench.clock.after(12.0, lambda: bench.router.end(address))
    started = bench.clock.now()

    bench.apply(rolling("two"))

    assert bench.clock.now() - started >= 11.9


def test_a_release_that_is_ill_from_the_start_stops_nothing_of_the_old(bench: Bench) -> None:
    old = bench.serving()

    with pytest.raises(PreviousStillServing, match="release 1 still serves"):
        bench.apply(bench.make_ill(rolling("two")))

    assert (bench.serving(), bench.running()) == (old, old)
    assert (bench.slots(), bench.states()) == ((1, None), {1: "live", 2: "aborted"})


def falls_ill_midway(bench: Bench) -> Server:
    """The second of the new ones is never healthy, once one of the old ones has left."""
    declared = rolling("two")
    image = bench.image_of(declared)
    bench.happens_at["roll.outcome"] = lambda: bench.runtime.ill.update({image: "says 500"})
    return declared


def test_one_that_falls_ill_midway_brings_back_what_had_left(bench: Bench) -> None:
    old = bench.serving()

    with pytest.raises(PreviousStillServing):
        bench.apply(falls_ill_midway(bench))

    assert len(bench.serving()) == 3
    assert set(bench.serving()) == set(bench.running(release=1))
    assert len(set(old) & set(bench.serving())) == 2, "one was stopped, and started again as another"
    assert bench.instances(release=2) == ()
    assert bench.plan(rolling("one")).kind == "none"


def observed(bench: Bench) -> list[tuple[int, int]]:
    """How many run, and how many of these get requests and are well, behind each change from now on."""
    seen: list[tuple[int, int]] = []

    def note() -> None:
        seen.append((len(bench.running()), sum(not bench.ill(one) for one in bench.serving())))

    bench.happens_behind = note
    return seen


@pytest.mark.parametrize(("surge", "unavailable", "after"), [(1, 0, 3), (2, 0, 1), (0, 1, 3), (1, 1, 1)])
def test_it_goes_back_as_it_came_with_no_more_running_and_no_fewer_serving_than_was_promised(
    surge: int, unavailable: int, after: int
) -> None:
    bench = Bench()
    bench.apply(rolling("one", replicas=4))
    declared = rolling("two", replicas=4, surge=surge, unavailable=unavailable)
    turns = [bench.image_of(declared)] * after

    def turned() -> None:
        """So many turns go well; whoever is launched then is ill, and those that serve stay well."""
        image = turns.pop()
        if turns:
            bench.happens_at["roll.outcome"] = turned
        else:
            bench.runtime.ill[image] = "says 500"

    bench.happens_at["roll.outcome"] = turned
    seen = observed(bench)

    with pytest.raises(PreviousStillServing):
        bench.apply(declared)

    assert max(running for running, _ in seen) <= 4 + surge
    assert min(serving for _, serving in seen) >= 4 - unavailable
    assert set(bench.serving()) == set(bench.running(release=1))
    assert len(bench.serving()) == 4


def test_what_is_ill_after_all_have_left_goes_first_on_the_way_back(bench: Bench) -> None:
    declared = rolling("two")
    bench.happens_at["probation.intent"] = lambda: bench.runtime.fall_ill(bench.serving()[0], reason="says 500")
    seen = observed(bench)

    with pytest.raises(PreviousStillServing):
        bench.apply(with_rollout(declared, probation=5.0))

    assert max(running for running, _ in seen) <= 4
    assert min(serving for _, serving in seen) >= 2, "one of the three is ill, and no other leaves before it is replaced"
    assert bench.told("release.failed") == ["release.failed"]
    assert len(bench.serving()) == 3


def test_an_abort_goes_back_turn_by_turn(bench: Bench) -> None:
    with bench.killed_at("probation.intent"):
        bench.apply(rolling("two"))
    before = len(bench.router.switches)
    seen = observed(bench)

    bench.abort()

    assert [len(to.addresses) for _, to in bench.router.switches[before:]] == [3, 3, 3]
    assert (max(running for running, _ in seen), min(serving for _, serving in seen)) == (4, 3)


def test_what_does_not_start_again_is_told_plainly(bench: Bench) -> None:
    declared = falls_ill_midway(bench)
    bench.happens_at["switch_back.intent"] = lambda: bench.runtime.ill.update({bench.release(1).image: "says 500, too"})

    with pytest.raises(TargetFailed, match="release 2 of web failed, and release 1 does not start again"):
        bench.apply(declared)

    assert bench.phase() == "switch_back.intent"
    bench.runtime.ill.clear()
    for instance in bench.running():
        bench.runtime.fall_ill(instance, reason="")
    with pytest.raises(PreviousStillServing):
        bench.apply(declared)
    assert len(bench.serving()) == 3
    assert bench.slots() == (1, None)


def test_an_abort_midway_brings_back_what_had_left(bench: Bench) -> None:
    with bench.killed_at("roll.outcome"):
        bench.apply(rolling("two"))

    bench.abort()

    assert len(bench.serving()) == 3
    assert set(bench.serving()) == set(bench.running(release=1))
    assert bench.instances(release=2) == ()


def test_the_way_back_launches_what_is_not_kept_warm(bench: Bench) -> None:
    bench.apply(rolling("two"))

    back = bench.rollback()

    assert (back.warm, back.release) == (False, 1)
    assert len(bench.serving()) == 3


def test_without_a_route_instances_are_rolled_all_the_same() -> None:
    bench = Bench()
    for greeting in ("one", "two"):
        bench.apply(rolling(greeting, route=None))

    assert len(bench.running(release=2)) == 3
    assert bench.running(release=1) == []


def test_the_plan_says_what_that_takes(bench: Bench) -> None:
    course = bench.plan(rolling("two")).course

    assert (course.strategy, course.peak) == ("rolling", 1)
    assert course.told == ("1 more and 0 fewer than 3 at a time; rollback launches again",)
