"""Retiring takes a server out of service: traffic first, then instances, then what is remembered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import Bench, a_server

from vitrify.core.diagnostic import Busy, UsageInvalid
from vitrify.testing.leases_suite import BOB


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_every_instance_is_stopped_and_discarded_and_the_route_is_forgotten(bench: Bench) -> None:
    bench.apply(a_server("one", replicas=2))
    bench.apply(a_server("two", replicas=2))

    assert bench.retire() == 4

    assert bench.instances() == ()
    assert bench.router.leads_to("", "/") is None
    assert (bench.slots(), bench.states()) == ((None, None), {1: "discarded", 2: "discarded"})
    assert bench.told()[-2:] == ["retire.intended", "retire.done"]


def test_traffic_leaves_before_the_instances_do(bench: Bench) -> None:
    bench.apply(a_server())
    bench.changes.clear()

    bench.retire()

    assert bench.changes == ["begin", "append", "release", "stop", "discard", "append", "finish"]


def test_other_servers_stay_as_they_are(bench: Bench) -> None:
    bench.apply(a_server())
    other = replace(a_server(), name="shop", route=None)
    bench.apply(other)

    bench.retire()

    assert bench.plan(other).empty


def test_a_server_that_is_retired_comes_back_as_a_new_release(bench: Bench) -> None:
    bench.apply(a_server())
    bench.retire()

    released = bench.apply(a_server())

    assert (released.release, released.previous) == (2, None)
    with pytest.raises(UsageInvalid, match="no previous release"):
        bench.rollback()


def test_a_server_without_a_release_cannot_be_retired(bench: Bench) -> None:
    bench.apply(replace(a_server(), name="shop"))

    with pytest.raises(UsageInvalid, match="no release to retire") as refused:
        bench.retire()

    assert "shop" in refused.value.diagnostics[0].hint


@pytest.mark.parametrize("point", ["launch.act", "switch.act", "retire.act"])
def test_a_rollout_that_was_cut_short_is_given_up(bench: Bench, point: str) -> None:
    bench.apply(a_server("one"))
    planned = bench.plan(a_server("two"))
    with bench.killed_at(point):
        bench.apply(a_server("two"), planned)

    bench.retire()

    assert bench.instances() == ()
    assert (bench.slots(), bench.state.open_operation("web", "local")) == ((None, None), None)
    assert bench.bodies("release.failed")[0]["reason"] == "the server is retired"
    assert bench.router.leads_to("", "/") is None


def test_a_first_rollout_that_was_cut_short_can_be_retired(bench: Bench) -> None:
    with bench.killed_at("gate.act"):
        bench.apply(a_server())

    assert bench.retire() == 1
    assert bench.instances() == ()


def test_a_server_that_somebody_changes_is_not_retired(bench: Bench) -> None:
    bench.apply(a_server())
    bench.lease().acquire(BOB)

    with pytest.raises(Busy):
        bench.retire()
