"""What must never run twice: requests are held, the old one stops, the new one starts and gets what was held."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import ROLLOUT, Bench, a_server

from vitrify.core.declaration import Server
from vitrify.core.diagnostic import PreviousStillServing, TargetFailed
from vitrify.core.strategy import Manner

PAUSE = 20.0


def single(greeting: str, **more: object) -> Server:
    rollout = replace(ROLLOUT, strategy="recreate", probation=0.0, manner=Manner(pause=PAUSE))
    return a_server(greeting, rollout=rollout, **more)  # type: ignore[arg-type]


class Watch:
    """How many run at any moment, and whether requests are held, as somebody sees who looks at each point."""

    def __init__(self, bench: Bench) -> None:
        self.most = 0
        self.held: dict[str, float | None] = {}
        self._bench = bench
        for point in ("pause.act", "stop.act", "launch.act", "gate.act", "switch.act"):
            bench.happens_at[point] = lambda point=point: self.look(point)  # type: ignore[misc]

    def look(self, point: str) -> None:
        self.most = max(self.most, len(self._bench.running()))
        self.held[point] = self._bench.router.held("web")


@pytest.fixture
def bench() -> Bench:
    found = Bench()
    found.apply(single("one"))
    return found


def test_there_are_never_two_and_requests_are_held_from_the_first_to_the_last_moment(bench: Bench) -> None:
    watch = Watch(bench)

    bench.apply(single("two"))

    assert watch.most == 1
    assert watch.held == {"pause.act": PAUSE, "stop.act": PAUSE, "launch.act": PAUSE, "gate.act": PAUSE, "switch.act": None}
    assert bench.serving() == bench.running(release=2)
    assert bench.slots() == (2, 1)


def test_the_first_release_has_nobody_to_wait_for(bench: Bench) -> None:
    assert bench.router.pauses == []


def test_requests_under_way_are_let_finish_before_the_old_one_stops(bench: Bench) -> None:
    address = bench.address(bench.serving()[0])
    bench.router.begin(address)
    stopped: list[bool] = []
    bench.clock.after(11.9, lambda: stopped.append(not bench.running(release=1)))
    bench.clock.after(12.0, lambda: bench.router.end(address))

    bench.apply(single("two"))

    assert stopped == [False]


def test_one_that_is_ill_ends_before_the_old_one_starts_again(bench: Bench) -> None:
    ill = bench.make_ill(single("two"))
    most: list[int] = []
    for number in range(200):
        bench.clock.after(number * 0.1, lambda: most.append(len(bench.running())))

    with pytest.raises(PreviousStillServing, match="release 1 still serves"):
        bench.apply(ill)

    assert max(most) == 1
    assert bench.serving() == bench.running() == bench.running(release=1)
    assert bench.router.held("web") is None
    assert (bench.slots(), bench.states()) == ((1, None), {1: "live", 2: "aborted"})
    assert bench.plan(single("one")).kind == "none"


def test_one_that_falls_ill_in_its_probation_makes_room_as_well(bench: Bench) -> None:
    declared = single("two")
    declared = replace(declared, rollout=replace(declared.rollout, probation=5.0))
    bench.falls_ill_with = bench.image_of(declared)

    with pytest.raises(PreviousStillServing):
        bench.apply(declared)

    assert bench.serving() == bench.running() == bench.running(release=1)


def test_where_nothing_starts_any_more_that_is_said_and_the_same_command_tries_again(bench: Bench) -> None:
    ill = bench.make_ill(single("two"))
    bench.runtime.ill[bench.release(1).image] = "cannot reach its disk"

    with pytest.raises(TargetFailed, match="release 1 does not start again") as failed:
        bench.apply(ill)

    assert "not healthy" in failed.value.diagnostics[0].why
    for instance in bench.running():
        bench.runtime.fall_ill(instance, reason="")
    with pytest.raises(PreviousStillServing):
        bench.apply(ill)
    assert bench.serving() == bench.running(release=1)


def test_a_rollback_and_a_replacement_run_no_two_either(bench: Bench) -> None:
    bench.apply(single("two"))
    watch = Watch(bench)

    bench.rollback()
    assert (watch.most, bench.slots()) == (1, (1, 2))

    bench.runtime.alter(bench.serving()[0], "/srv/backdoor")
    watch = Watch(bench)
    bench.apply(single("one"))
    assert watch.most == 1
    assert all(map(bench.runtime_is_sound, bench.serving()))
    assert len(bench.serving()) == 1


def test_without_a_route_it_stops_and_starts() -> None:
    other = Bench()
    for greeting in ("one", "two"):
        other.apply(single(greeting, route=None))

    assert other.running() == other.running(release=2)
    assert other.router.pauses == []


def test_an_abort_starts_the_old_one_again(bench: Bench) -> None:
    with bench.killed_at("stop.outcome"):
        bench.apply(single("two"))
    assert bench.running() == []

    bench.abort()

    assert bench.serving() == bench.running(release=1)
    assert bench.router.held("web") is None


def test_the_plan_says_what_that_takes(bench: Bench) -> None:
    course = bench.plan(single("two")).course

    assert (course.strategy, course.peak) == ("recreate", 0)
    assert course.told == ("the old ones stop before the new ones start; requests are held for 20s at most meanwhile",)
