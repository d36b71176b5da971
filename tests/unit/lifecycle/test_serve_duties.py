"""What each duty of `serve` does, and that a process which dies of it anywhere is replaced by the next one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import pytest
from bench import Bench, Killed, a_server, do, in_place
from watched import PAIR, Watched, pair, turns

from vitrify.core.declaration import Health, Host, Server
from vitrify.core.diagnostic import PreviousStillServing
from vitrify.core.healing import Healing
from vitrify.core.report import LeaseView
from vitrify.core.schedule import Schedule
from vitrify.core.served import BUSY, DONE, FAILED, UNREACHABLE
from vitrify.lifecycle import fleet
from vitrify.lifecycle.duties import audit, health, keep, retention
from vitrify.lifecycle.duty import Charge, Duty
from vitrify.lifecycle.serve import once, turn
from vitrify.lifecycle.serve_board import Board
from vitrify.onhost.lease import Wish

KEEP, HEALTH, RETENTION, AUDIT = keep.Keep(), health.Health(), retention.Retention(), audit.Audits()


@pytest.fixture
def bench() -> Watched:
    return Watched()


def outcomes(bench: Bench, server: Server, *duties: Duty) -> list[str]:
    return [one.outcome for one in turns(bench, server, *duties)]


def test_what_ended_is_replaced_and_nothing_else_is_touched(bench: Watched) -> None:
    server = pair(bench)
    dead, altered = bench.running()
    bench.runtime.lose(dead)
    bench.runtime.alter(altered, "/srv/backdoor")

    assert outcomes(bench, server, KEEP) == [DONE]
    assert altered in bench.serving()
    assert len(bench.serving()) == 2
    assert dead not in [instance.id for instance in bench.instances()]
    assert bench.told("finding", "replace.done") == ["replace.done"], "what was altered is for the audit to tell"


def test_where_all_is_in_order_nothing_is_said_and_no_lease_is_taken(bench: Watched) -> None:
    server = pair(bench)
    before, lease = bench.ledger.size, bench.lease().acquire(Wish("ann", "looks on")).token

    found = turns(bench, server, KEEP, HEALTH, RETENTION)

    assert [(one.outcome, one.told) for one in found] == [(DONE, "")] * 5
    assert bench.ledger.size == before
    assert bench.lease().standing() is not None
    bench.give_back(lease)


def test_what_is_declared_by_now_is_not_released_by_itself(bench: Watched) -> None:
    pair(bench)
    bench.runtime.lose(bench.running()[0])

    turns(bench, a_server("two", replicas=2, rollout=PAIR), KEEP)

    assert bench.slots() == (1, None)
    assert len(bench.serving()) == 2


def test_what_was_altered_in_an_instance_that_ended_is_told_before_it_goes(bench: Watched) -> None:
    server = pair(bench)
    dead = bench.running()[0]
    bench.runtime.alter(dead, "/srv/backdoor")
    bench.runtime.lose(dead)

    turns(bench, server, KEEP)

    assert [body["path"] for body in bench.bodies("finding")] == ["/srv/backdoor"]


def test_a_router_that_is_gone_comes_back_by_the_lease(bench: Watched) -> None:
    server = pair(bench)
    bench.lost.append("edge")
    somebody = bench.lease().acquire(Wish("ann", "deploys")).token

    assert outcomes(bench, server, KEEP) == [BUSY]
    assert bench.lost == ["edge"]
    bench.give_back(somebody)

    assert turns(bench, server, KEEP)[0].told == "routers that were gone are back: edge"
    assert bench.lost == []


def test_while_somebody_else_has_the_lease_nothing_is_done_and_that_is_no_failure(bench: Watched) -> None:
    server = pair(bench)
    bench.runtime.lose(bench.running()[0])
    somebody = bench.lease().acquire(Wish("ann", "deploys")).token

    assert outcomes(bench, server, KEEP) == [BUSY]
    assert len(bench.running()) == 1
    bench.give_back(somebody)
    assert outcomes(bench, server, KEEP) == [DONE]
    assert len(bench.serving()) == 2


def test_a_host_that_does_not_answer_is_told_and_stops_no_other_duty(bench: Watched) -> None:
    server = pair(bench)
    bench.unreachable = True

    found = {one.duty: one.outcome for one in turns(bench, server, KEEP, AUDIT)}

    assert found == {"keep": UNREACHABLE, "audit": UNREACHABLE}


def test_the_release_that_somebody_began_is_theirs_to_end(bench: Watched) -> None:
    pair(bench)
    newer = a_server("two", replicas=2, rollout=PAIR)
    planned = bench.plan(newer)
    with bench.killed_at("launch.act"):
        bench.apply(newer, planned)
    bench.runtime.lose(bench.serving()[0])

    assert outcomes(bench, newer, KEEP, RETENTION) == [DONE] * 3
    assert bench.state.open_operation("web", "local") is not None
    assert bench.apply(newer).release == 2


def test_a_replacement_that_fails_leaves_what_serves_and_waits_longer_each_time(bench: Watched) -> None:
    server = bench.make_ill(pair(bench))
    alive = bench.running()[1]
    bench.runtime.lose(bench.running()[0])

    first, again = turns(bench, server, KEEP), turns(bench, server, KEEP)

    assert first[0].outcome == again[0].outcome == FAILED
    assert bench.serving() == [alive]
    assert "replaced 1 times within the hour" in again[0].told
    assert bench.told("replace.failed") == ["replace.failed"], "the second process knew of the first one's attempt"


def mended(bench: Watched, server: Server) -> None:
    """A turn by a process that has just begun, and that a test may kill."""
    charge = Charge((server,), Schedule(), bench.world, Board(bench.clock.now()))
    (job,) = KEEP.jobs(charge)
    do(turn(job, charge))


def changes() -> list[str]:
    """What a mending changes when nothing disturbs it."""
    bench = Watched()
    server = pair(bench)
    bench.runtime.lose(bench.running()[0])
    bench.changes.clear()
    mended(bench, server)
    return bench.changes


@pytest.mark.parametrize("ill", [False, True])
def test_killed_behind_any_change_the_next_process_comes_to_the_same_end(ill: bool) -> None:  # noqa: FBT001  two tables of one test
    for number in range(1, len(changes()) + 1):
        bench = Watched()
        server = pair(bench)
        bench.runtime.lose(bench.running()[0])
        bench.changes.clear()
        bench.die_behind = number
        with pytest.raises(Killed):
            mended(bench, server)
        if ill:
            bench.make_ill(server)
        for _ in range(8):  # whatever fails is tried again, by processes that know nothing of each other
            bench.clock.let_pass(400.0)
            with suppress(PreviousStillServing):
                mended(bench, server)

        assert bench.state.open_operation("web", "local") is None, number
        assert len(bench.serving()) == len(bench.running()) >= (1 if ill else 2), number
        assert len(told := list(told_once(bench))) == len(set(told)), number


def told_once(bench: Bench) -> Iterator[tuple[str, object]]:
    for entry in bench.ledger.entries():
        if entry.kind.rpartition(".")[2] in ("intended", "done", "failed") and "operation" in entry.body:
            yield entry.kind, entry.body["operation"]


def test_what_was_kept_warm_leaves_when_its_time_is_over_and_not_before(bench: Watched) -> None:
    pair(bench)
    server = a_server("two", replicas=2, rollout=PAIR)
    bench.apply(server)
    warm = [instance.id for instance in bench.instances(release=1)]
    bench.runtime.alter(warm[0], "/srv/backdoor")

    turns(bench, server, RETENTION)
    assert len(bench.instances(release=1)) == 2
    bench.clock.let_pass(PAIR.keep_warm + 1)
    told = [one.told for one in turns(bench, server, RETENTION)]

    assert told[0] == f"left, being over: {', '.join(warm)}"
    assert bench.instances(release=1) == ()
    assert len(bench.serving()) == 2
    assert [body["path"] for body in bench.bodies("finding")] == ["/srv/backdoor"], "told before it left"
    assert bench.rollback().release == 1


def test_the_ledger_says_that_it_was_audited_and_an_intruder_is_told_once(bench: Watched) -> None:
    server = pair(bench)
    bench.runtime.alter(bench.running()[0], "/srv/backdoor")

    outcomes(bench, server, AUDIT)
    outcomes(bench, server, AUDIT)

    assert bench.told("finding") == ["finding"]
    assert [body["findings"] for body in bench.bodies("audit.done")] == [{"unauthorised": 1}] * 2
    assert next(event.detail for event in bench.events if event.what == "serve.audit").startswith("unauthorised: /srv/backdoor added")


def test_the_next_process_knows_when_the_last_audit_was(bench: Watched) -> None:
    server = pair(bench)
    outcomes(bench, server, AUDIT)
    audited = bench.clock.now()
    bench.clock.let_pass(1800)

    (job,) = AUDIT.jobs(Charge((server,), Schedule(), bench.world, Board(0.0)))

    assert job.last() == pytest.approx(audited, abs=0.01)


def test_health_is_told_when_it_changes_and_not_each_time(bench: Watched) -> None:
    server = pair(bench)
    ill = bench.running()[0]
    charge = Charge((server,), Schedule(), bench.world, Board(0.0))
    bench.events.clear()

    for reason in ("", "says 500", "says 500", ""):
        bench.runtime.fall_ill(ill, reason=reason)
        do(once([HEALTH], charge, parallel=1))

    assert [event.detail for event in bench.events if event.what == "health"] == ["says 500", "passes again"]
    assert charge.board.ill["web", "local"] == dict.fromkeys(bench.running(), "")
    assert charge.board.leases["web"] == (LeaseView("web", "local"),)


def test_an_error_that_nobody_foresaw_is_told_like_any_other(bench: Watched) -> None:
    server = pair(bench)
    bench.happens_at["begin.outcome"] = lambda: (_ for _ in ()).throw(RuntimeError("odd"))
    bench.runtime.lose(bench.running()[0])

    (ended,) = turns(bench, server, KEEP)

    assert (ended.outcome, ended.told) == (FAILED, "RuntimeError: odd")


@pytest.fixture
def three(tmp_path: Path, bench: Watched) -> Server:
    """A server in three folders, the second of which cannot be looked at."""
    hosts = []
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        hosts.append(Host(name, str(tmp_path / name)))
    server = replace(in_place(tmp_path / "one", ("/motd", "hello")), hosts=tuple(hosts))
    planned, _ = do(fleet.plan([server], bench.world, parallel=1))
    do(fleet.apply(planned, {"web": server}, bench.world, parallel=1))
    bench.events.clear()
    rmtree(tmp_path / "two")
    return replace(server, health=Health(command=("/bin/true",)))


def test_a_host_that_cannot_be_audited_hides_nothing_of_the_others_and_is_missed_by_name(three: Server, bench: Watched) -> None:
    for host in (three.hosts[0], three.hosts[2]):
        Path(host.folder, "motd").write_text("intruder")

    (ended,) = turns(bench, three, AUDIT)

    assert (ended.outcome, ended.told.partition(":")[0]) == (DONE, "not audited")
    (body,) = bench.bodies("audit.done")
    assert (body["missed"], body["findings"]) == (["two"], {"unauthorised": 2})
    assert {finding["where"] for finding in bench.bodies("finding")} == {"one", "three"}


def test_a_host_that_cannot_be_asked_is_ill_and_the_others_are_asked(three: Server, bench: Watched) -> None:
    board = Board(0.0)

    do(once([HEALTH], Charge((three,), Schedule(), bench.world, board), parallel=1))

    assert board.ill["web", "two"]["two"]
    assert set(board.ill) == {("web", "one"), ("web", "two"), ("web", "three")}


def test_of_one_whose_health_comes_and_goes_that_is_told_once_until_it_stays_as_it_is(bench: Watched) -> None:
    server = replace(pair(bench), healing=Healing(limit=0))
    ill = bench.running()[0]
    charge = Charge((server,), Schedule(), bench.world, Board(0.0))
    bench.events.clear()

    def looks(*reasons: str) -> list[str]:
        bench.events.clear()
        for reason in reasons:
            bench.clock.let_pass(30.0)
            bench.runtime.fall_ill(ill, reason=reason)
            do(once([HEALTH], charge, parallel=1))
        return [event.detail for event in bench.events if event.what == "health"]

    told = looks(*["says 500", ""] * 50)
    assert told[:5] == ["says 500", "passes again"] * 2 + ["says 500"]
    assert [one.partition(",")[0] for one in told[5:]] == ["comes and goes"]
    assert looks("says 500", *["says 500"] * 40, "") == ["passes again"]
