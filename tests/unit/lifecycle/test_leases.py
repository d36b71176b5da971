"""One server, one hand at a time: whoever comes second is told at once or waits, and who was away too long changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from bench import Bench, a_server, do, in_place

from vitrify.core.diagnostic import Busy
from vitrify.core.event import Stage
from vitrify.core.plan import HostPlan
from vitrify.lifecycle import holders, mutable
from vitrify.lifecycle.lease import refuse_held
from vitrify.onhost.leasing import leased
from vitrify.onhost.scope import Here
from vitrify.testing.engine import quick_folder
from vitrify.testing.leases_suite import BOB


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def root() -> Iterator[Path]:
    with quick_folder() as folder:
        (folder / "etc").mkdir()
        yield folder


def waits(bench: Bench) -> list[str]:
    return [event.detail for event in bench.events if (event.what, event.stage) == ("wait", Stage.NOTICE)]


def test_who_waits_goes_on_as_soon_as_the_other_has_given_it_back(bench: Bench) -> None:
    planned = bench.plan(a_server())
    token = bench.lease().acquire(BOB).token
    bench.clock.after(7.0, partial(bench.give_back, token))
    bench.wait = 600.0

    released = bench.apply(a_server(), planned)

    assert released.release == 1
    assert waits(bench) == ["web is being changed by bob@desk; Ctrl-C ends the waiting, and nothing else"]


def test_who_waits_for_somebody_that_is_gone_goes_on_when_the_lease_runs_out(bench: Bench) -> None:
    planned = bench.plan(a_server())
    bench.lease().acquire(BOB)
    bench.wait = float("inf")

    assert bench.apply(a_server(), planned).release == 1


def test_nobody_waits_longer_than_was_said(bench: Bench) -> None:
    bench.apply(a_server())
    bench.lease().acquire(replace(BOB, seconds=3600.0))
    bench.wait, begun = 20.0, bench.clock.monotonic()

    with pytest.raises(Busy, match="bob@desk"):
        bench.retire()

    assert bench.clock.monotonic() - begun == 20.0
    assert len(bench.running()) == 1


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0], ids=["back", "forth"])
def test_a_clock_that_is_set_neither_ends_a_lease_nor_keeps_it(bench: Bench, jump: float) -> None:
    planned = bench.plan(a_server())
    bench.lease().acquire(BOB)
    bench.clock.set_by(jump)

    with pytest.raises(Busy, match="bob@desk"):
        bench.apply(a_server(), planned)
    bench.clock.let_pass(BOB.seconds)
    assert bench.apply(a_server(), planned).release == 1


def test_an_operation_and_the_ledger_know_by_which_lease_it_is_carried_out(bench: Bench) -> None:
    bench.apply(a_server("one"))
    planned = bench.plan(a_server("two"))
    with bench.killed_at("gate.intent"):
        bench.apply(a_server("two"), planned)
    left = bench.state.open_operation("web", "local")

    bench.apply(a_server("two"))

    assert left is not None
    assert left.data["token"] == 2
    assert [body["token"] for body in bench.bodies("release.intended")] == [1, 2]
    assert [body["token"] for body in bench.bodies("release.done")] == [1, 3]


@pytest.mark.parametrize("point", ["launch.intent", "gate.intent", "switch.intent", "switch.act", "retire.intent"])
def test_who_was_away_while_somebody_else_took_over_changes_nothing_more(bench: Bench, point: str) -> None:
    bench.apply(a_server("one"))
    planned = bench.plan(a_server("two"))
    then: dict[str, object] = {}

    def away() -> None:
        bench.clock.let_pass(bench.world.lease_seconds)
        bench.lease().acquire(replace(BOB, seconds=3600.0))
        then.update(serving=bench.serving(), running=bench.running(), told=bench.told("release.done", "release.failed"))

    bench.happens_at[point] = away
    with pytest.raises(Busy, match="was lost: bob@desk has a newer one"):
        bench.apply(a_server("two"), planned)

    assert then == {"serving": bench.serving(), "running": bench.running(), "told": bench.told("release.done", "release.failed")}


def test_a_lease_is_taken_away_for_a_reason_that_is_recorded(bench: Bench, root: Path) -> None:
    server = in_place(root, ("/etc/motd", "hello\n"))
    plan = do(mutable.plan(server, server.hosts[0], bench.world))
    do(mutable.apply(server, server.hosts[0], plan, bench.world))

    (view,) = do(holders.held([server], bench.world, parallel=1))

    assert (view.standing, view.token, view.by, view.reason) == (False, 1, "ada@laptop", "apply")
    assert bench.bodies("apply.done")[0]["token"] == 1


# -- in place --------------------------------------------------------------------------------------------------------


def changing(bench: Bench, root: Path) -> Iterator[HostPlan]:
    """A plan that is made while somebody else is in the middle of an apply."""
    server = in_place(root, ("/etc/motd", "hello\n"))
    plan = do(mutable.plan(server, server.hosts[0], bench.world))
    do(mutable.apply(server, server.hosts[0], plan, bench.world))
    session_context = bench.context()
    here = Here.at(session_context, {"scope": mutable.scope("web", server.hosts[0], bench.world)})
    with leased(here, {"by": "bob@desk"}, reason="apply", operation="r9"):
        yield do(mutable.plan(in_place(root, ("/etc/motd", "other\n")), server.hosts[0], bench.world))


def test_a_plan_says_that_somebody_is_changing_the_host_right_now_and_is_not_applied(bench: Bench, root: Path) -> None:
    for plan in changing(bench, root):
        assert plan.held.startswith("bob@desk, apply r9, since ")
        with pytest.raises(Busy, match="web is being changed on machine"):
            refuse_held([plan])
        server = in_place(root, ("/etc/motd", "other\n"))
        with pytest.raises(Busy, match="web is being changed by bob@desk"):
            do(mutable.apply(server, server.hosts[0], plan, bench.world))

    assert (root / "etc/motd").read_text() == "hello\n"
