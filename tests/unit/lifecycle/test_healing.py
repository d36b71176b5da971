"""An instance that runs and does not serve is replaced; a release that is ill of itself is told of once and left."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from bench import HEALTH, ROLLOUT, Bench, Killed, a_server, do
from watched import PAIR, Watched, pair, turns

from vitrify.core.declaration import Server
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.healing import Healing
from vitrify.core.schedule import Schedule
from vitrify.core.served import FAILED
from vitrify.lifecycle.attempts import moment
from vitrify.lifecycle.duties import health, keep
from vitrify.lifecycle.duty import Charge
from vitrify.lifecycle.serve import turn
from vitrify.lifecycle.serve_board import Board
from vitrify.onhost.lease import Wish

HEALTH_DUTY, KEEP = health.Health(), keep.Keep()
UP = HEALTH.grace + 1
HOUR = 3601.0


@pytest.fixture
def bench() -> Watched:
    return Watched()


def two(bench: Bench) -> Server:
    """A server of two instances that had time enough to begin."""
    server = pair(bench)
    bench.clock.let_pass(UP)
    return server


def healed(bench: Watched, server: Server) -> str:
    """What a turn tells, by a process that has just begun."""
    return next(one.told for one in turns(bench, server, HEALTH_DUTY) if one.host)


def sick(bench: Bench, *instances: str, reason: str = "says 500") -> None:
    for name in instances:
        bench.runtime.fall_ill(name, reason=reason)


def test_an_instance_that_does_not_pass_several_looks_in_a_row_is_replaced_and_no_other(bench: Watched) -> None:
    server = two(bench)
    well, ill = bench.running()
    sick(bench, ill)

    told = healed(bench, server)

    (new,) = set(bench.running()) - {well}
    assert told == f"{ill} does not pass: says 500: replaced; release 1 runs as {well}, {new}"
    assert sorted(bench.serving()) == sorted([well, new])
    assert bench.told("health.failed", "replace.intended", "replace.done", "finding") == [
        "health.failed",
        "replace.intended",
        "replace.done",
    ]
    (body,) = bench.bodies("health.failed")
    assert (body["instances"], body["reason"], body["looks"], body["release"]) == ([ill], "says 500", 3, 1)


def test_the_new_one_serves_before_the_ill_one_goes(bench: Watched) -> None:
    server = two(bench)
    ill = bench.running()[1]
    sick(bench, ill)
    running: list[int] = []
    for point in ("launch.act", "gate.act", "switch.act", "drain.act", "retire.outcome"):
        bench.happens_at[point] = lambda: running.append(len(bench.running()))

    healed(bench, server)

    assert running == [3, 3, 3, 3, 2]


def test_one_that_passes_again_in_time_is_left_in_peace(bench: Watched) -> None:
    server = two(bench)
    ill = bench.running()[1]
    sick(bench, ill)
    bench.clock.after(6.0, lambda: sick(bench, ill, reason=""))
    before = bench.ledger.size

    assert healed(bench, server) == ""
    assert bench.ledger.size == before
    assert ill in bench.serving()


def test_one_that_comes_and_goes_is_not_replaced_and_never_takes_a_lease(bench: Watched) -> None:
    server = two(bench)
    ill = bench.running()[1]
    before, lease = bench.ledger.size, bench.lease().acquire(Wish("ann", "looks on")).token
    for _ in range(20):
        sick(bench, ill)
        bench.clock.after(4.0, lambda: sick(bench, ill, reason=""))
        healed(bench, server)
        bench.clock.let_pass(30.0)

    assert bench.ledger.size == before
    bench.give_back(lease)


def test_as_many_looks_as_are_declared_are_needed(bench: Watched) -> None:
    server = replace(two(bench), healing=Healing(after=1, pause=60.0))
    sick(bench, bench.running()[0])
    begun = bench.clock.monotonic()

    assert "replaced" in healed(bench, server)
    assert bench.clock.monotonic() - begun < 60.0 + UP


def test_where_it_is_declared_that_none_is_replaced_it_is_only_told(bench: Watched) -> None:
    server = replace(two(bench), healing=Healing(limit=0))
    sick(bench, *bench.running())
    before = bench.ledger.size

    assert healed(bench, server) == ""
    assert bench.ledger.size == before
    assert [event.detail for event in bench.events if event.what == "health"] == ["says 500"] * 2


@pytest.mark.parametrize("spoil", [lambda bench, name: bench.runtime.crash(name), lambda bench, name: bench.runtime.lose(name)])
def test_what_begins_or_ended_is_for_its_keeper_or_for_keep(bench: Watched, spoil: Callable[[Bench, str], None]) -> None:
    server = two(bench)
    ill = bench.running()[1]
    sick(bench, ill)
    spoil(bench, ill)

    assert healed(bench, server) == ""
    assert bench.told("health.failed", "replace.intended") == []


def test_a_release_that_is_ill_from_the_start_is_told_once_and_left(bench: Watched) -> None:
    server = bench.make_ill(two(bench))
    old = bench.running()
    sick(bench, *old)

    (first,) = (one for one in turns(bench, server, HEALTH_DUTY) if one.host)
    assert (first.outcome, "release 1 still serves" in first.told) == (FAILED, True)
    for _ in range(50):
        assert "left as it is: new instances of it did not pass either" in healed(bench, server)
        bench.clock.let_pass(HOUR / 3)

    assert bench.told("health.failed", "health.left", "replace.intended", "health.passed") == [
        "health.failed",
        "replace.intended",
        "health.left",
    ]
    assert bench.serving() == bench.running() == old, "the old ones stay: there is nothing better"


def test_once_what_was_left_passes_again_that_is_told_and_the_next_illness_is_a_new_one(bench: Watched) -> None:
    server = bench.make_ill(two(bench))
    old = bench.running()
    sick(bench, *old)
    for _ in range(3):
        turns(bench, server, HEALTH_DUTY)
        bench.clock.let_pass(400.0)
    bench.runtime.ill.clear()
    sick(bench, *old, reason="")
    healed(bench, server)
    healed(bench, server)
    sick(bench, *old)
    bench.clock.let_pass(400.0)

    assert "replaced" in healed(bench, server)
    kinds = bench.told("health.failed", "health.left", "health.passed", "replace.failed")
    assert kinds == ["health.failed", "replace.failed", "health.left", "health.passed", "health.failed"]


def test_where_one_passes_there_is_hope_and_it_is_tried_again_ever_more_seldom(bench: Watched) -> None:
    server = bench.make_ill(two(bench))
    well, ill = bench.running()
    sick(bench, ill)
    for _ in range(200):
        turns(bench, server, HEALTH_DUTY)
        bench.clock.let_pass(2.0)

    at = [moment(entry.at) for entry in bench.ledger.entries() if entry.kind == "replace.intended"]
    assert len(at) == 5, "as often as is allowed within an hour"
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert gaps == sorted(gaps)
    assert bench.told("health.left") == ["health.left"]
    assert bench.serving() == [well, ill]


def test_one_whose_replacement_falls_ill_each_time_is_replaced_no_more_often_than_allowed(bench: Watched) -> None:
    server = replace(two(bench), healing=Healing(after=1, limit=3))

    def all_day(hours: float) -> int:
        before, until = len(bench.told("replace.done")), bench.clock.monotonic() + hours * HOUR
        while bench.clock.monotonic() < until:
            sick(bench, *bench.running())
            turns(bench, server, HEALTH_DUTY)
            bench.clock.let_pass(30.0)
        return len(bench.told("replace.done")) - before

    assert all_day(1.0) == 3
    assert bench.told("health.left") == ["health.left"], "told once, not each time"
    assert 3 <= all_day(4.0) <= 13, "after an hour it is tried again"


def test_while_somebody_else_changes_the_server_it_is_theirs(bench: Watched) -> None:
    server = two(bench)
    newer = a_server("two", replicas=2, rollout=PAIR)
    planned = bench.plan(newer)
    with bench.killed_at("launch.act"):
        bench.apply(newer, planned)
    sick(bench, *bench.serving())

    assert healed(bench, server) == ""
    assert bench.told("health.failed") == []


def test_another_that_fails_since_a_moment_ago_is_looked_at_before_anything_is_done(bench: Watched) -> None:
    server = two(bench)
    first, second = bench.running()
    sick(bench, first)
    bench.clock.after(6.0, lambda: sick(bench, second))

    assert f"{second} does not pass: says 500, since a moment ago" in healed(bench, server)
    assert bench.told("replace.intended") == []
    assert f"{first} does not pass: says 500; {second} does not pass: says 500: replaced" in healed(bench, server)


def test_a_warm_release_that_is_ill_is_only_told(bench: Watched) -> None:
    pair(bench)
    server = a_server("two", replicas=2, rollout=ROLLOUT)
    bench.apply(server)
    bench.clock.let_pass(UP)
    sick(bench, bench.running(release=1)[0])

    assert healed(bench, server) == ""
    assert [event.detail for event in bench.events if event.what == "health"] == ["says 500"]


def test_a_server_without_a_health_check_is_never_ill(bench: Watched) -> None:
    server = a_server("one", replicas=2, rollout=PAIR, health=None)
    bench.apply(server)
    bench.clock.let_pass(UP)
    sick(bench, *bench.running())

    assert healed(bench, server) == ""


def healing_turn(bench: Watched, server: Server) -> None:
    charge = Charge((server,), Schedule(), bench.world, Board(bench.clock.now()))
    for duty in (KEEP, HEALTH_DUTY):
        for job in duty.jobs(charge):
            if job.host:
                do(turn(job, charge))


def ill_bench() -> tuple[Watched, Server]:
    bench = Watched()
    server = two(bench)
    sick(bench, bench.running()[1])
    bench.changes.clear()
    return bench, server


def all_changes() -> int:
    bench, server = ill_bench()
    healing_turn(bench, server)
    return len(bench.changes)


def test_killed_behind_any_change_the_next_process_comes_to_the_same_end_and_tells_nothing_twice() -> None:
    count = all_changes()
    assert count > 8
    for number in range(1, count + 1):
        bench, server = ill_bench()
        bench.die_behind = number
        with pytest.raises(Killed):
            healing_turn(bench, server)
        for _ in range(6):
            bench.clock.let_pass(400.0)
            with suppress(VitrifyError):
                healing_turn(bench, server)

        assert bench.state.open_operation("web", "local") is None, number
        assert len(bench.serving()) == len(bench.running()) == 2, number
        assert bench.told("health.failed", "replace.intended", "replace.done") == ["health.failed", "replace.intended", "replace.done"], (
            number
        )
