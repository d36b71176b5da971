"""How far away a former release is, and what going back to it takes: told before, and refused where it is gone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import ROLLOUT, Bench, a_server, do

from vitrify.core.diagnostic import Denied, UsageInvalid
from vitrify.core.rollout_report import WayBack
from vitrify.lifecycle.listing import releases
from vitrify.lifecycle.pausing import pause, resume
from vitrify.lifecycle.status import status
from vitrify.lifecycle.tiers import way_back

FEW = replace(ROLLOUT, probation=0.0, retain=2)


@pytest.fixture
def bench() -> Bench:
    """Four releases: one collected, one as an image, one warm, one live."""
    found = Bench()
    for greeting in ("one", "two", "three", "four"):
        found.apply(a_server(greeting, replicas=2, rollout=FEW))
    return found


def tiers(bench: Bench) -> list[tuple[int, str]]:
    return [(row.number, row.tier) for row in do(releases(("web",), bench.world)).rows]


def told(bench: Bench, to: int | None = None) -> WayBack:
    return do(way_back("web", bench.world, to=to))


def test_each_release_is_as_far_away_as_it_is(bench: Bench) -> None:
    assert tiers(bench) == [(4, ""), (3, "warm"), (2, "image"), (1, "collected")]

    bench.clock.let_pass(FEW.keep_warm)
    assert tiers(bench) == [(4, ""), (3, "stopped"), (2, "image"), (1, "collected")]


def test_what_a_rollback_takes_is_told_before(bench: Bench) -> None:
    assert told(bench) == WayBack("web", 4, 3, "warm", 0, left=FEW.keep_warm)
    assert told(bench, 2) == WayBack("web", 4, 2, "image", 2)

    bench.clock.let_pass(FEW.keep_warm)
    assert told(bench) == WayBack("web", 4, 3, "stopped", 2)


def test_what_is_told_is_what_it_then_takes(bench: Bench) -> None:
    warm = bench.running(release=3)
    assert list(bench.rollback(to=3).instances) == warm

    assert told(bench, 2).launch == 2
    before = {instance.id for instance in bench.instances()}
    assert len(set(bench.rollback(to=2).instances) - before) == 2


def test_an_altered_instance_counts_as_one_to_launch(bench: Bench) -> None:
    bench.runtime.alter(bench.running(release=3)[0], "/srv/backdoor")

    assert told(bench).launch == 1


def test_what_was_collected_is_refused_and_what_is_left_is_said(bench: Bench) -> None:
    with pytest.raises(Denied, match="release 1 of web is discarded") as refused:
        told(bench, 1)

    assert refused.value.diagnostics[0].hint == "releases that can be rolled back to: 3, 2"


def test_after_a_first_deployment_there_is_nothing_to_go_back_to() -> None:
    bench = Bench()
    bench.apply(a_server("one"))

    with pytest.raises(UsageInvalid, match="web has no previous release") as refused:
        told(bench)
    assert refused.value.diagnostics[0].hint == "there is no release to go back to"


def test_who_would_go_back_while_a_second_release_is_on_its_way_in_is_told_what_does_that() -> None:
    bench = Bench()
    bench.apply(a_server("one"))
    with bench.killed_at("gate.intent"):
        bench.apply(a_server("two"))

    with pytest.raises(UsageInvalid, match="web has no previous release") as refused:
        told(bench)
    assert refused.value.diagnostics[0].hint == "release 2 has not ended: `vitrify abort web` takes it back"


def test_who_goes_back_is_told_of_the_rollout_that_is_ended_first(bench: Bench) -> None:
    with bench.killed_at("gate.intent"):
        bench.apply(a_server("five"))

    assert told(bench).ends == 5


def test_a_rollback_of_a_rollback_is_warm_both_ways(bench: Bench) -> None:
    bench.rollback()

    assert told(bench) == WayBack("web", 3, 4, "warm", 0, left=FEW.keep_warm)


def test_requests_are_held_until_they_are_let_through(bench: Bench) -> None:
    do(pause("web", bench.world, at_most=12.0))
    assert bench.router.held("web") == 12.0
    (seen,) = do(status((a_server("four", replicas=2, rollout=FEW),), bench.world))
    assert seen.paused

    assert do(resume("web", bench.world))[0] is True
    assert bench.router.held("web") is None
    assert do(resume("web", bench.world))[0] is False
    assert bench.told("pause.intended", "pause.done", "resume.done") == ["pause.intended", "pause.done", "resume.done"]


def test_a_switch_ends_a_pause(bench: Bench) -> None:
    do(pause("web", bench.world, at_most=12.0))
    bench.rollback()

    assert bench.router.held("web") is None


@pytest.mark.parametrize("point", ["pause.intent", "pause.act", "pause.outcome"])
def test_a_pause_that_was_killed_is_paused_again(bench: Bench, point: str) -> None:
    with bench.killed_at(point):
        do(pause("web", bench.world, at_most=12.0))

    do(pause("web", bench.world, at_most=12.0))
    assert bench.router.held("web") == 12.0


def test_nothing_can_be_held_where_nothing_comes() -> None:
    bench = Bench()
    with pytest.raises(UsageInvalid, match="no requests that could be held"):
        do(pause("web", bench.world, at_most=1.0))
    bench.apply(a_server("one", route=None))
    with pytest.raises(UsageInvalid, match="no requests that could be held"):
        do(pause("web", bench.world, at_most=1.0))
