"""What a release owes is carried out by `serve` once nobody can go back behind it, once and no more, and told."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from bench import Killed, a_server, do
from watched import PAIR, Watched, turns

from vitrify.core.declaration import Server
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.hook import CONTRACT, EXPAND, NEXT, Hook
from vitrify.core.schedule import NEVER, Schedule
from vitrify.core.served import BUSY, DONE, FAILED
from vitrify.lifecycle.duties import contract
from vitrify.lifecycle.duty import Charge
from vitrify.lifecycle.serve import turn
from vitrify.lifecycle.serve_board import Board
from vitrify.lifecycle.serve_turns import Timetable
from vitrify.onhost.lease import Wish

DUTY = contract.Contract()
WINDOW = PAIR.keep_warm
MIGRATION = (Hook(EXPAND, ("widen",), on=NEXT), Hook(CONTRACT, ("narrow",), on=NEXT), Hook(CONTRACT, ("tidy",), on=NEXT))


@pytest.fixture
def bench() -> Watched:
    return Watched()


def migrated(bench: Watched) -> Server:
    """Release 2 has just gone live, and owes a contract."""
    bench.apply(a_server("one", rollout=PAIR))
    server = replace(a_server("two", rollout=PAIR), hooks=MIGRATION)
    bench.apply(server)
    return server


def test_it_waits_for_the_rollback_window_and_then_carries_it_out_once(bench: Watched) -> None:
    server = migrated(bench)
    bench.clock.let_pass(WINDOW - 1)
    (early,) = turns(bench, server, DUTY)
    assert (early.outcome, early.told, bench.ran) == (DONE, "", ["widen"])

    bench.clock.let_pass(2)
    (due,) = turns(bench, server, DUTY)
    (later,) = turns(bench, server, DUTY)

    assert (due.outcome, due.told) == (DONE, "release 2 is contracted: narrow, tidy")
    assert later.told == ""
    assert bench.ran == ["widen", "narrow", "tidy"]
    assert bench.told("contract.intended", "contract.done") == ["contract.intended", "contract.done"]


def test_a_former_instance_that_still_runs_is_waited_for(bench: Watched) -> None:
    server = migrated(bench)
    bench.clock.let_pass(WINDOW - 1)
    (warm,) = bench.running(release=1)
    do(bench.runtime.stop_later(warm, at=bench.clock.now() + 60))
    bench.clock.let_pass(2)

    (ended,) = turns(bench, server, DUTY)
    assert ended.told == f"release 2 is not contracted yet: {warm} of a former release runs"
    bench.clock.let_pass(60)

    assert turns(bench, server, DUTY)[0].told == "release 2 is contracted: narrow, tidy"


def test_one_that_fails_is_told_tried_again_ever_more_seldom_and_what_had_ended_is_not_repeated(bench: Watched) -> None:
    server = migrated(bench)
    bench.clock.let_pass(WINDOW + 1)
    bench.hook_ends["tidy"] = 1

    outcomes = [turns(bench, server, DUTY)[0].outcome for _ in range(3)]
    assert outcomes == [FAILED] * 3
    assert bench.told("contract.failed") == ["contract.failed"], "the pause after it is kept, by whatever process"
    bench.clock.let_pass(60)
    turns(bench, server, DUTY)
    bench.clock.let_pass(60)
    assert "again in 60 s" in turns(bench, server, DUTY)[0].told
    bench.hook_ends.clear()
    bench.clock.let_pass(60)

    assert turns(bench, server, DUTY)[0].outcome == DONE
    assert bench.ran == ["widen", "narrow", "tidy", "tidy", "tidy"]
    assert bench.told("contract.intended", "contract.failed", "contract.done") == [
        "contract.intended",
        "contract.failed",
        "contract.failed",
        "contract.done",
    ]


def test_killed_behind_any_change_the_next_process_carries_out_the_rest_and_nothing_twice() -> None:
    def prepared() -> tuple[Watched, Server]:
        bench = Watched()
        server = migrated(bench)
        bench.clock.let_pass(WINDOW + 1)
        bench.changes.clear()
        return bench, server

    bench, server = prepared()
    turns(bench, server, DUTY)
    count = len(bench.changes)
    assert count > 5
    for number in range(1, count + 1):
        bench, server = prepared()
        bench.die_behind = number
        charge = Charge((server,), Schedule(), bench.world, Board(0.0))
        (job,) = DUTY.jobs(charge)
        with pytest.raises(Killed):
            do(turn(job, charge))
        for _ in range(3):
            bench.clock.let_pass(400.0)
            with suppress(VitrifyError):
                turns(bench, server, DUTY)

        assert bench.told("contract.intended", "contract.done") == ["contract.intended", "contract.done"], number
        assert bench.ran.count("narrow") + bench.ran.count("tidy") <= 3, "what was cut short is repeated, and no other"
        assert "contracted" in bench.release(2).notes


def test_while_a_rollout_is_not_finished_or_somebody_holds_the_lease_it_waits(bench: Watched) -> None:
    server = migrated(bench)
    bench.clock.let_pass(WINDOW + 1)
    somebody = bench.lease().acquire(Wish("ann", "deploys")).token
    assert turns(bench, server, DUTY)[0].outcome == BUSY
    bench.give_back(somebody)

    newer = replace(a_server("three", rollout=PAIR), hooks=MIGRATION)
    planned = bench.plan(newer)
    assert planned.contract == 2
    with bench.killed_at("launch.act"):
        bench.apply(newer, replace(planned, contract=0))

    assert turns(bench, newer, DUTY)[0].told == ""
    assert bench.told("contract.intended") == []


def test_never_leaves_it_to_a_person(bench: Watched) -> None:
    server = replace(migrated(bench), schedule=Schedule(contract=NEVER))
    bench.clock.let_pass(WINDOW + 1)
    charge = Charge((server,), Schedule(), bench.world, Board(0.0))
    timetable = Timetable()

    timetable.settle(DUTY.jobs(charge), now=0.0, wall=0.0)

    assert list(timetable.due(now=1e9, busy=frozenset())) == []
