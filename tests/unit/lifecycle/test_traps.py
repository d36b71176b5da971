"""Traps that deploy tools are known to fall into, one test each; docs/reference/traps.md lists all of them, wherever their tests are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import HEALTH, ROLLOUT, Bench, a_server

from vitrify.core.declaration import Server
from vitrify.core.diagnostic import PreviousStillServing
from vitrify.core.event import Stage
from vitrify.core.hook import CONTRACT, EXPAND, NEXT, Hook
from vitrify.core.strategy import Manner

QUICK = replace(ROLLOUT, probation=0.0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def will_say(bench: Bench, release: int, reason: str, *, at: float) -> None:
    """In so many seconds the instances of a release begin to fail their health checks for this reason; "" makes them well."""

    def change() -> None:
        for instance in bench.running(release=release):
            bench.runtime.fall_ill(instance, reason=reason)

    bench.clock.after(at, change)


def staged(greeting: str) -> Server:
    """A release that waits for somebody to promote it."""
    return a_server(greeting, rollout=replace(QUICK, manner=Manner(manual=True)))


def test_a_websocket_that_outlives_the_drain_holds_nobody_up_and_stays_open_while_its_release_is_warm(bench: Bench) -> None:
    bench.apply(a_server("one", rollout=QUICK))
    (old,) = bench.serving()
    bench.router.begin(bench.address(old))
    began = bench.clock.now()

    bench.apply(a_server("two", rollout=QUICK))

    assert bench.clock.now() - began <= ROLLOUT.drain + 1
    assert bench.running(release=1) == [old], "what it is connected to runs on"
    bench.clock.let_pass(ROLLOUT.keep_warm + 1)
    assert bench.running(release=1) == []


def test_a_release_whose_health_flaps_after_the_switch_is_switched_back(bench: Bench) -> None:
    bench.apply(a_server("one"))
    old = bench.serving()
    steady = replace(ROLLOUT, probation=20.0)
    for turn in range(40):  # every other look fails, and never two in a row
        will_say(bench, 2, "says 500" if turn % 2 else "", at=1.0 + turn * 0.5)

    with pytest.raises(PreviousStillServing) as failed:
        bench.apply(a_server("two", rollout=steady))

    assert "it comes and goes: 6 of " in str(failed.value.diagnostics)
    assert bench.serving() == old
    assert bench.told("switch.back") == ["switch.back"]


def test_a_health_that_fails_now_and_then_in_a_long_probation_is_forgiven(bench: Bench) -> None:
    for turn in range(4):
        will_say(bench, 1, "says 500", at=5.0 + 10 * turn)
        will_say(bench, 1, "", at=5.5 + 10 * turn)

    bench.apply(a_server("one", rollout=replace(ROLLOUT, probation=60.0)))

    assert bench.slots() == (1, None)


def test_killed_between_the_switch_and_its_record_the_router_is_believed_and_nothing_is_launched_again(bench: Bench) -> None:
    bench.apply(a_server("one"))
    planned = bench.plan(a_server("two"))
    with bench.killed_at("switch.act"):
        bench.apply(a_server("two"), planned)
    switched = bench.serving()
    assert "switch.done" not in bench.told()[-1:]

    bench.apply(a_server("two"))

    assert bench.serving() == switched == bench.running(release=2)
    assert bench.told("switch.done", "release.done")[-2:] == ["switch.done", "release.done"]
    assert bench.slots() == (2, 1)


def test_a_rollback_that_fails_is_no_success_and_what_served_goes_on_serving(bench: Bench) -> None:
    for greeting in ("one", "two"):
        bench.apply(a_server(greeting))
    serving = bench.serving()
    for instance in bench.running(release=1):
        bench.runtime.fall_ill(instance, reason="says 500")

    with pytest.raises(PreviousStillServing):
        bench.rollback()

    assert (bench.serving(), bench.slots()) == (serving, (2, 1))
    assert bench.told("rollback.done", "rollback.failed") == ["rollback.failed"]


def test_staged_twice_and_rolled_back_it_comes_to_the_release_that_served_before_and_to_nothing_staged(bench: Bench) -> None:
    for greeting in ("one", "two"):
        bench.apply(staged(greeting))
        bench.promote()
    bench.apply(staged("three"))
    bench.apply(staged("four"))

    bench.rollback()

    assert bench.serving() == bench.running(release=1)
    assert bench.states() | {1: "", 2: ""} == {1: "", 2: "", 3: "aborted", 4: "aborted"}
    assert (bench.running(release=3), bench.running(release=4)) == ([], [])


def test_an_old_release_is_not_ended_before_its_last_request_is_answered_even_if_nothing_is_kept_warm(bench: Bench) -> None:
    cold = replace(QUICK, keep_warm=0.0)
    bench.apply(a_server("one", rollout=cold))
    (old,) = bench.serving()
    address, ran = bench.address(old), list[bool]()
    bench.router.begin(address)

    def answered() -> None:
        ran.append(old in bench.running())
        bench.router.end(address)

    bench.clock.after(10.0, answered)

    bench.apply(a_server("two", rollout=cold))

    assert ran == [True]
    assert old not in bench.running()
    assert [event.detail for event in bench.events if event.what == "drain" and event.stage is Stage.DONE] == ["no request left"]


def test_a_release_that_never_passes_in_time_is_no_first_release_and_leaves_nothing(bench: Bench) -> None:
    with pytest.raises(PreviousStillServing, match="nothing served before, and nothing does now"):
        bench.apply(bench.make_ill(a_server("one", health=replace(HEALTH, grace=1.0))))

    assert (bench.slots(), bench.instances(), bench.router.leads_to("", "/")) == ((None, None), (), None)
    assert bench.apply(a_server("two")).release == 2


def test_what_was_expanded_for_a_release_that_then_is_ill_is_never_contracted(bench: Bench) -> None:
    hooks = (Hook(EXPAND, ("widen",), on=NEXT), Hook(CONTRACT, ("narrow",), on=NEXT))
    bench.apply(a_server("one"))
    old = bench.serving()
    ill = bench.make_ill(replace(a_server("two", health=replace(HEALTH, grace=1.0)), hooks=hooks))

    with pytest.raises(PreviousStillServing):
        bench.apply(ill)
    bench.clock.let_pass(ROLLOUT.keep_warm + 1)
    bench.apply(a_server("three"))

    assert (bench.ran, bench.told("expand.done", "contract.intended")) == (["widen"], ["expand.done"])
    assert (bench.slots(), old != bench.serving()) == ((3, 1), True)


def test_one_name_for_two_builds_is_two_images_and_two_releases(bench: Bench) -> None:
    first, second = (a_server("one", env={"COMMIT": "3f2a1c0", "FLAG": flag}) for flag in ("on", "off"))
    bench.apply(first)

    assert bench.plan(second).kind == "release"
    assert bench.apply(second).release == 2
    assert bench.release(1).image != bench.release(2).image
