"""What must hold before a release keeps its requests: at its address, by its name, and through the router."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import HEALTH, ROLLOUT, ROUTE, Bench, a_server

from vitrify.core.diagnostic import PreviousStillServing
from vitrify.core.strategy import Bounds
from vitrify.lifecycle.fitness import outside
from vitrify.ports import Measured

SHOP = replace(ROUTE, host="shop.test")
QUICK = replace(ROLLOUT, probation=0.0)


@pytest.fixture
def bench() -> Bench:
    found = Bench()
    found.apply(a_server("one", route=SHOP, rollout=QUICK))
    return found


def why(error: pytest.ExceptionInfo[PreviousStillServing]) -> str:
    return error.value.diagnostics[0].why


def test_healthy_at_its_port_and_wrong_by_its_name_never_gets_a_request(bench: Bench) -> None:
    bench.runtime.refused["shop.test"] = "GET /: status 400, not 200"
    before = bench.router.switches[:]

    with pytest.raises(PreviousStillServing, match="release 1 still serves") as failed:
        bench.apply(a_server("two", route=SHOP, rollout=QUICK))

    assert "is healthy at its address, but not as shop.test; GET /: status 400, not 200" in why(failed)
    assert bench.router.switches == before


def test_right_by_its_name_and_wrong_through_the_router_is_switched_back_before_the_old_ones_go(bench: Bench) -> None:
    old = bench.running()
    bench.router.wrong["r2-00000002"] = "GET shop.test/: status 404, not 200"

    with pytest.raises(PreviousStillServing) as failed:
        bench.apply(a_server("two", route=SHOP, rollout=QUICK))

    assert "healthy at its address, but not behind shop.test/" in why(failed)
    assert bench.running() == old
    assert bench.told("switch.back") == ["switch.back"]


def test_a_moment_until_the_router_is_right_is_given(bench: Bench) -> None:
    bench.router.wrong["r2-00000002"] = "GET shop.test/: no answer"
    bench.happens_at["probation.intent"] = lambda: bench.clock.after(1.0, bench.router.wrong.clear)

    assert bench.apply(a_server("two", route=SHOP, rollout=QUICK)).release == 2


@pytest.mark.parametrize(
    "server",
    [
        a_server("two", route=replace(ROUTE, host="*.shop.test"), rollout=QUICK),
        a_server("two", route=SHOP, rollout=QUICK, health=replace(HEALTH, http="", tcp=0)),
        a_server("two", route=SHOP, rollout=QUICK, health=replace(HEALTH, host="127.0.0.1")),
        a_server("two", route=SHOP, rollout=QUICK, health=None),
    ],
    ids=["any name", "no http", "a name of its own", "no health"],
)
def test_where_there_is_no_one_name_to_ask_by_none_is(bench: Bench, server: object) -> None:
    for name in ("shop.test", "*.shop.test"):
        bench.runtime.refused[name] = "GET /: status 400, not 200"

    assert bench.apply(server).release == 2  # type: ignore[arg-type]


def test_a_slow_start_is_no_failure_and_a_crash_is(bench: Bench) -> None:
    slow = bench.make_ill(a_server("two", route=SHOP, rollout=QUICK, health=replace(HEALTH, grace=60.0)))
    bench.clock.after(50.0, lambda: bench.runtime.fall_ill(bench.running(release=2)[0], reason=""))
    assert bench.apply(slow).release == 2

    crashing = bench.make_ill(a_server("three", route=SHOP, rollout=QUICK, health=replace(HEALTH, grace=60.0)))
    for seconds in (1.0, 2.0):
        bench.clock.after(seconds, lambda: bench.runtime.crash(bench.running(release=3)[0]))
    started = bench.clock.now()
    with pytest.raises(PreviousStillServing):
        bench.apply(crashing)
    assert bench.clock.now() - started < 5


@pytest.mark.parametrize(
    ("bounds", "measured", "told"),
    [
        (Bounds(errors=0.01), Measured(100, 1, 0.1), ""),
        (Bounds(errors=0.01), Measured(100, 2, 0.1), "2 of 100 answers are errors, more than 1%"),
        (Bounds(errors=0.0), Measured(1000, 1, 0.1), "1 of 1000 answers are errors, more than 0%"),
        (Bounds(errors=0.01), Measured(19, 19, 9.0), ""),
        (Bounds(errors=0.01, requests=1), Measured(1, 1, 9.0), "1 of 1 answers are errors, more than 1%"),
        (Bounds(p95=0.5), Measured(100, 100, 0.5), ""),
        (Bounds(p95=0.5), Measured(100, 0, 0.51), "95 of 100 answers came within 0.51 s only, not 0.5 s"),
        (Bounds(p95=0.5), Measured(0, 0, None), ""),
    ],
)
def test_answers_are_judged_by_their_share_of_errors_and_their_times(bounds: Bounds, measured: Measured, told: str) -> None:
    assert outside(bounds, measured) == told
