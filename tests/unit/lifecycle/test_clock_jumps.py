"""Somebody sets the control machine's clock while a release is under way: no wait becomes longer or shorter by it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import HEALTH, ROLLOUT, Bench, a_server

from vitrify.core.diagnostic import PreviousStillServing

HOUR = 3600.0
JUMPS = pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forwards", "backwards"])


@pytest.fixture
def bench() -> Bench:
    return Bench()


@JUMPS
def test_a_probation_lasts_as_long_as_declared(bench: Bench, jump: float) -> None:
    bench.clock.after(1.0, lambda: bench.clock.set_by(jump))
    bench.clock.after(2.0, lambda: bench.runtime.fall_ill(bench.running()[0], reason="says 500"))
    started = bench.clock.monotonic()

    with pytest.raises(PreviousStillServing) as failed:
        bench.apply(a_server())

    assert "failed in its probation" in failed.value.diagnostics[0].why
    assert bench.clock.monotonic() - started <= ROLLOUT.probation + 1


@JUMPS
def test_an_ill_release_is_given_its_grace_and_no_more(bench: Bench, jump: float) -> None:
    bench.clock.after(HEALTH.interval, lambda: bench.clock.set_by(jump))
    started = bench.clock.monotonic()

    with pytest.raises(PreviousStillServing):
        bench.apply(bench.make_ill(a_server()))

    assert HEALTH.grace <= bench.clock.monotonic() - started <= HEALTH.grace + 2 * HEALTH.interval


@JUMPS
def test_a_drain_lasts_as_long_as_declared_and_a_release_tells_how_long_it_really_took(bench: Bench, jump: float) -> None:
    bench.apply(a_server("one"))
    bench.router.begin(bench.address(bench.serving()[0]))
    bench.clock.after(1.0, lambda: bench.clock.set_by(jump))
    started = bench.clock.monotonic()

    bench.apply(a_server("two", rollout=replace(ROLLOUT, probation=0.0)))

    took = bench.clock.monotonic() - started
    assert ROLLOUT.drain <= took <= ROLLOUT.drain + 1
    assert [*bench.ledger.entries()][-1].body["ms"] == round(took * 1000)


def test_the_ledger_keeps_its_order_when_the_clock_goes_back(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.clock.set_by(-HOUR)
    bench.apply(a_server("two"))
    bench.rollback()

    assert bench.slots() == (1, 2)
    assert [kind for kind in bench.told() if kind in ("release.done", "rollback.done")] == ["release.done"] * 2 + ["rollback.done"]
