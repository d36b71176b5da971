"""A migration has two halves: one before a release gets traffic, and one once nothing goes back behind it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from bench import HEALTH, LOCAL, ROLLOUT, Bench, a_server, do

from vitrify.core.declaration import Host, Rollout, Server
from vitrify.core.diagnostic import Denied, PreviousStillServing, TargetFailed, UsageInvalid
from vitrify.core.hook import CONTRACT, EXPAND, NEXT, Hook
from vitrify.core.migrated import Contracted
from vitrify.lifecycle import hooks, migration
from vitrify.lifecycle.listing import releases
from vitrify.lifecycle.settings import known_secrets
from vitrify.ports import Operation

POINTS = ("expand.intent", "hook.intent", "hook.act", "hook.outcome", "expand.act", "expand.outcome")
CONTRACT_POINTS = ("contract.intent", "hook.intent", "hook.act", "hook.outcome", "contract.act", "contract.outcome")


@pytest.fixture
def bench() -> Bench:
    found = Bench()
    found.apply(a_server("one"))
    return found


def expanding(greeting: str = "two", *more: Hook, rollout: Rollout = ROLLOUT) -> Server:
    both = (Hook(EXPAND, ("widen",), on=NEXT), Hook(CONTRACT, ("narrow",), on=NEXT))
    return replace(a_server(greeting, rollout=rollout), hooks=(*both, *more))


def contract(bench: Bench, *, now: bool = False) -> Contracted:
    return do(migration.contract("web", LOCAL, bench.world, secret=known_secrets({}), now=now))


def notes(bench: Bench, number: int) -> frozenset[str]:
    return bench.release(number).notes


def test_expand_runs_inside_the_new_release_before_it_is_asked_for_its_health_while_the_former_one_serves(bench: Bench) -> None:
    bench.happens_in["widen"] = lambda: seen.append((bench.serving() == bench.running(release=1), "gate.intent" in bench.points[8:]))
    seen: list[tuple[bool, bool]] = []
    bench.points.clear()

    bench.apply(expanding())

    assert seen == [(True, False)]
    assert bench.hooks[0]["id"] == bench.running(release=2)[0]
    assert (bench.ran, sorted(notes(bench, 2))) == (["widen"], ["expanded"])
    assert bench.told("expand.intended", "expand.done", "switch.intended") == [
        "switch.intended",
        "expand.intended",
        "expand.done",
        "switch.intended",
    ]


def test_an_expand_that_fails_ends_the_rollout_before_anything_is_switched(bench: Bench) -> None:
    bench.hook_ends["widen"] = 1

    with pytest.raises(PreviousStillServing) as error:
        bench.apply(expanding())

    assert "the hook expand ended with 1" in error.value.diagnostics[0].why
    assert bench.serving() == bench.running() == bench.running(release=1) != []
    assert (bench.slots(), notes(bench, 2)) == ((1, None), frozenset())
    assert bench.told("switch.intended") == ["switch.intended"], "that of the first release"


def test_a_release_is_expanded_once_whatever_number_of_hosts_it_goes_to(bench: Bench) -> None:
    bench.apply(expanding())
    world = bench.world
    bench.state.begin(replace(bench.release(2), number=0), replace_operation(bench))

    def course(operation: str) -> hooks.Course:
        inside = partial_inside
        found = expanding().hooks
        return hooks.Course(
            world, found, "release", operation, "web", LOCAL, since=world.ledger.size, secret=known_secrets({}), inside=inside
        )

    async def side_by_side() -> None:
        await asyncio.gather(*(migration.expand(course(f"on-host-{number}"), 3) for number in range(3)))

    do(side_by_side())

    assert bench.ran == ["widen", "widen"], "once for release 2, and once for release 3"
    assert notes(bench, 3) == {"expanded"}


async def partial_inside() -> tuple[str, str]:
    return "", "web-r3"


def replace_operation(bench: Bench) -> Operation:

    return Operation(bench.world.identify(), "web", Host("ssh://other"), "release", 0, "begin", {})


@pytest.mark.parametrize("point", POINTS)
def test_killed_in_an_expand_the_same_command_finishes_and_expands_no_second_time(bench: Bench, point: str) -> None:
    with bench.killed_at(point):
        bench.apply(expanding())

    bench.apply(expanding())

    assert bench.ran == ["widen"] * (2 if point == "hook.act" else 1)
    assert (bench.slots(), sorted(notes(bench, 2))) == ((2, 1), ["expanded"])
    assert bench.told("expand.intended", "expand.done") == ["expand.intended", "expand.done"]


def test_a_rollback_expands_nothing_and_is_free_until_the_contract(bench: Bench) -> None:
    bench.apply(expanding())
    bench.rollback()
    assert (bench.slots(), bench.ran) == ((1, 2), ["widen"])
    bench.rollback(to=2)
    assert (bench.slots(), bench.ran) == ((2, 1), ["widen"])


def test_a_contract_waits_until_the_rollback_window_is_over_and_the_next_apply_carries_it_out(bench: Bench) -> None:
    bench.apply(expanding())
    waiting = bench.plan(expanding())
    assert waiting.empty
    assert any("release 2 has a contract, which waits until" in notice for notice in waiting.notices)
    with pytest.raises(Denied, match="rollback window of web release 2 is still open"):
        contract(bench)

    bench.clock.let_pass(ROLLOUT.keep_warm)
    due = bench.plan(expanding())
    assert (due.empty, due.kind, due.contract) == (False, "none", 2)
    bench.apply(expanding(), due)

    assert bench.ran == ["widen", "narrow"]
    assert bench.hooks[1]["id"] == bench.running(release=2)[0]
    assert notes(bench, 2) == {"expanded", "contracting", "contracted"}
    assert bench.plan(expanding()).empty


def test_what_is_due_is_contracted_before_the_next_release_is_put_forward(bench: Bench) -> None:
    bench.apply(expanding())
    bench.clock.let_pass(ROLLOUT.keep_warm)

    bench.apply(expanding("three"))

    assert bench.ran == ["widen", "narrow", "widen"]
    assert bench.slots() == (3, 2)


def test_nothing_is_contracted_that_the_plan_did_not_name(bench: Bench) -> None:
    bench.apply(expanding())
    planned = bench.plan(expanding("three"))
    bench.clock.let_pass(ROLLOUT.keep_warm)

    bench.apply(expanding("three"), planned)

    assert bench.ran == ["widen", "widen"]


def test_whoever_gives_up_the_way_back_contracts_at_once(bench: Bench) -> None:
    bench.apply(expanding())
    done = contract(bench, now=True)

    assert (done.release, done.commands, bench.ran) == (2, ("narrow",), ["widen", "narrow"])


def test_a_rollback_across_a_contract_is_refused_and_one_beside_it_is_not(bench: Bench) -> None:
    bench.apply(expanding())
    contract(bench, now=True)
    with pytest.raises(Denied) as error:
        bench.rollback()
    problem = error.value.diagnostics[0]
    assert problem.summary == "release 1 of web cannot become live again"
    assert "was contracted for release 2" in problem.why
    assert "release 2 or newer" in problem.hint
    assert bench.serving() == bench.running(release=2) != []

    bench.apply(expanding("three"))
    bench.rollback(to=2)
    assert bench.slots() == (2, 3)


@pytest.mark.parametrize("point", CONTRACT_POINTS)
def test_killed_in_a_contract_nothing_goes_back_behind_it_and_the_next_apply_finishes_it(bench: Bench, point: str) -> None:
    bench.apply(expanding())
    bench.clock.let_pass(ROLLOUT.keep_warm)
    with bench.killed_at(point):
        contract(bench)
    with pytest.raises(Denied):
        bench.rollback()

    bench.apply(expanding())

    assert bench.ran == ["widen", *(["narrow"] * (2 if point == "hook.act" else 1))]
    assert "contracted" in notes(bench, 2)
    assert bench.told("contract.intended", "contract.done") == ["contract.intended", "contract.done"]


def test_a_contract_that_failed_is_tried_again_and_what_had_ended_is_not_repeated(bench: Bench) -> None:
    bench.apply(expanding("two", Hook(CONTRACT, ("sweep",))))
    bench.hook_ends["sweep"] = 1
    with pytest.raises(TargetFailed, match="contract ended with 1"):
        contract(bench, now=True)
    assert bench.told("contract.failed") == ["contract.failed"]
    assert bench.serving() == bench.running(release=2) != []
    bench.hook_ends.clear()

    contract(bench)

    assert bench.ran == ["widen", "narrow", "sweep", "sweep"]
    assert "contracted" in notes(bench, 2)


def test_a_contract_that_is_passed_over_is_owed_no_more_and_bars_nothing(bench: Bench) -> None:
    bench.apply(expanding())
    done = do(migration.skip("web", LOCAL, bench.world))

    assert (done.skipped, migration.owed("web", bench.world)) == (True, None)
    bench.rollback()
    assert bench.slots() == (1, 2)
    with pytest.raises(UsageInvalid, match="owes no contract"):
        contract(bench, now=True)


def test_a_plan_says_what_hooks_run_and_what_would_never_be_contracted(bench: Bench) -> None:
    first = bench.plan(expanding())
    assert "hooks run, and what they do cannot be foreseen: expand" in first.notices
    bench.apply(expanding(), first)

    assert any(
        notice == "release 2 was not contracted yet, and the next one does not declare: narrow; declare it until it was carried out"
        for notice in bench.plan(a_server("three")).notices
    )
    assert not [notice for notice in bench.plan(expanding("three")).notices if "does not declare" in notice]


def test_while_a_rollout_is_not_finished_nothing_is_contracted(bench: Bench) -> None:
    bench.apply(expanding())
    with bench.killed_at("launch.outcome"):
        bench.apply(expanding("three"))

    with pytest.raises(Denied, match="is not finished"):
        contract(bench, now=True)


def test_without_a_former_release_there_is_nothing_to_wait_for() -> None:
    bench = Bench()
    bench.apply(expanding())
    assert bench.plan(expanding()).contract == 1


def test_an_instance_that_is_not_up_is_waited_for_and_then_told(bench: Bench) -> None:
    server = replace(expanding(), health=replace(HEALTH, grace=1.0))
    bench.apply(server)
    (one,) = bench.running(release=2)
    bench.runtime.lose(one)

    with pytest.raises(TargetFailed) as error:
        contract(bench, now=True)

    assert "no instance runs" in error.value.diagnostics[0].why


def test_releases_tell_how_far_their_migration_is(bench: Bench) -> None:
    bench.apply(expanding())
    contract(bench, now=True)

    assert [row.notes for row in do(releases(("web",), bench.world)).rows] == [("expanded", "contracting", "contracted"), ()]
