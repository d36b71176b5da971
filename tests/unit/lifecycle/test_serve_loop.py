"""The loop of `serve`: each in its turn, longer pauses after failures, nobody held up by somebody else's slowness."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

import pytest
from bench import Bench, SteppingClock, a_server, do

from vitrify.core.declaration import Server
from vitrify.core.diagnostic import Busy, TargetFailed
from vitrify.core.schedule import NEVER, Schedule
from vitrify.core.served import DONE, FAILED
from vitrify.lifecycle import attempts
from vitrify.lifecycle.duties.keep import Keep
from vitrify.lifecycle.duty import Charge, Duty, Job
from vitrify.lifecycle.serve import once, serve
from vitrify.lifecycle.serve_board import Board
from vitrify.lifecycle.serve_turns import LONGEST, Timetable


class Enough(BaseException):
    """The test has seen what it wanted to see."""


@dataclass
class Noting:
    """A duty that notes when it had its turns; `fails` is how each of them ends, "" well, in order and then as the last one."""

    bench: Bench
    name: str = "note"
    every: float = 10.0
    fails: tuple[Exception | None, ...] = (None,)
    servers: tuple[str, ...] = ("web",)
    last: float | None = None
    at: list[float] = field(default_factory=list)
    slow: frozenset[str] = frozenset()
    """Servers whose turn never ends."""
    apart: bool = False

    def jobs(self, charge: Charge) -> Iterator[Job]:
        for server in self.servers:
            yield Job(self.name, server, self.every, partial(self._act, server), last=lambda: self.last, apart=self.apart)

    async def _act(self, server: str) -> str:
        if server in self.slow:
            await asyncio.Event().wait()
        self.at.append(self.bench.clock.monotonic())
        error = self.fails[min(len(self.at), len(self.fails)) - 1]
        if error is not None:
            raise error
        return ""


class Patient(SteppingClock):
    """Time passes once nobody has anything to do at once."""

    async def sleep(self, seconds: float) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        self.let_pass(seconds)


@pytest.fixture
def bench() -> Bench:
    return Bench(clock=Patient())


def served(bench: Bench, *duties: Duty, seconds: float, servers: Iterable[Server] = (), parallel: int = 10) -> Board:
    """What is on the board after so much time."""
    begun = bench.clock.monotonic()
    board = Board(bench.clock.now())
    charge = Charge(tuple(servers), Schedule(), bench.world, board)

    async def reading(*, idle: bool) -> Charge:  # noqa: ARG001  of the promise
        if bench.clock.monotonic() - begun > seconds:
            raise Enough
        return charge

    with pytest.raises(Enough):
        do(serve(duties, reading, parallel=parallel))
    return board


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def test_each_duty_has_its_turn_at_once_and_then_at_its_own_interval(bench: Bench) -> None:
    often, seldom = Noting(bench, "often", every=10.0), Noting(bench, "seldom", every=35.0)

    served(bench, often, seldom, seconds=100)

    assert gaps(often.at) == [10.0] * (len(often.at) - 1)
    assert gaps(seldom.at) == [35.0, 35.0]
    assert often.at[0] == seldom.at[0]


def test_what_fails_is_tried_again_after_longer_and_longer_pauses_and_never_in_a_loop(bench: Bench) -> None:
    failing = Noting(bench, every=10.0, fails=(TargetFailed("no"),))

    board = served(bench, failing, seconds=3000, servers=[a_server()])

    assert gaps(failing.at)[:7] == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0]
    assert set(gaps(failing.at)[7:]) == {LONGEST}
    assert board.turns["note", ("web", ""), FAILED] == len(failing.at)
    assert board.failing == {("note", ("web", "")): "failed: no"}


def test_once_it_is_done_the_failures_are_forgotten(bench: Bench) -> None:
    mending = Noting(bench, every=100.0, fails=(TargetFailed("no"), TargetFailed("no"), None, TargetFailed("no"), None))

    board = served(bench, mending, seconds=400)

    assert gaps(mending.at) == [5.0, 10.0, 100.0, 5.0, 100.0, 100.0]
    assert board.failing == {}


def test_somebody_elses_lease_is_waited_for_without_counting_as_a_failure(bench: Bench) -> None:
    waiting = Noting(bench, every=3600.0, fails=(Busy("ann is at it"),) * 6 + (None,))

    board = served(bench, waiting, seconds=100)

    assert gaps(waiting.at) == [5.0] * 6
    assert board.turns["note", ("web", ""), DONE] == 1


def test_a_server_whose_turn_does_not_end_holds_up_nobody_else(bench: Bench) -> None:
    noting = Noting(bench, servers=("stuck", "web"), slow=frozenset({"stuck"}))

    served(bench, noting, seconds=100, parallel=2)

    assert len(noting.at) == 11


def test_what_only_listens_is_in_nobodys_way_and_is_not_waited_for_once(bench: Bench) -> None:
    listening = Noting(bench, "listen", slow=frozenset({"web"}), apart=True)
    noting = Noting(bench)

    served(bench, listening, noting, seconds=100, parallel=1)
    turns = do(once([listening, noting], Charge((), Schedule(), bench.world, Board(0.0)), parallel=1)).turns

    assert len(noting.at) == 12
    assert [turn.duty for turn in turns] == ["note"]


def test_what_was_under_way_is_cancelled_when_the_process_is_ended(bench: Bench) -> None:
    ended: list[str] = []

    class Stuck(Noting):
        async def _act(self, server: str) -> str:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(server)
            return ""

    served(bench, Stuck(bench), seconds=20)

    assert ended == ["web"]


def test_what_another_process_did_a_while_ago_is_due_when_its_interval_is_over(bench: Bench) -> None:
    since = bench.clock.now() - 1000
    noting = Noting(bench, every=3600.0, last=since)
    begun = bench.clock.monotonic()

    served(bench, noting, seconds=4000)

    assert noting.at == [begun + 2600.0]


def test_by_a_clock_that_was_set_back_nobody_waits_longer_than_the_interval(bench: Bench) -> None:
    noting = Noting(bench, every=60.0, last=bench.clock.now() + 86_400)

    served(bench, noting, seconds=100)

    assert len(noting.at) == 1


def test_what_is_never_to_be_done_is_never_done(bench: Bench) -> None:
    noting = Noting(bench, every=NEVER)

    served(bench, noting, seconds=1000)
    do(once([noting], Charge((), Schedule(), bench.world, Board(0.0)), parallel=1))

    assert noting.at == []


def test_a_changed_interval_counts_from_the_last_turn_on(bench: Bench) -> None:
    timetable, noting = Timetable(), Noting(bench, every=100.0)
    charge = Charge((), Schedule(), bench.world, Board(0.0))
    timetable.settle(noting.jobs(charge), now=0.0, wall=0.0)
    (job,) = timetable.due(now=0.0, busy=frozenset())
    timetable.ended(job, DONE, now=0.0)

    noting.every = 10.0
    timetable.settle(noting.jobs(charge), now=5.0, wall=5.0)

    assert list(timetable.due(now=9.0, busy=frozenset())) == []
    assert len(list(timetable.due(now=10.0, busy=frozenset()))) == 1


def test_what_left_the_declaration_or_its_host_is_told_of_no_more() -> None:
    board = Board(0.0)
    board.instances["old", "local"], board.instances["web", "gone"], board.instances["web", "local"] = (), (), ()
    board.leases["old"] = ()
    board.failing["keep", ("old", "local")] = board.failing["retention", ("", "")] = "failed: no"

    board.keep_to({("keep", ("web", "local")), ("retention", ("", ""))})

    assert list(board.instances) == [("web", "local")]
    assert board.leases == {}
    assert list(board.failing) == [("retention", ("", ""))]


def test_an_instance_that_dies_again_and_again_is_not_replaced_in_a_loop(bench: Bench) -> None:
    server = replace(a_server("one", route=None), schedule=Schedule(keep=1.0))
    bench.apply(server)
    begun = bench.ledger.size

    class Dying(Noting):
        """Ends what runs, all the time."""

        async def _act(self, server: str) -> str:
            for name in self.bench.running():
                self.bench.runtime.lose(name)
            return ""

    served(bench, Dying(bench, every=1.0, servers=("other",)), Keep(), seconds=3600, servers=[server])

    at = [attempts.moment(entry.at) for entry in bench.ledger.entries(begun) if entry.kind == "replace.intended"]
    assert len(at) < 25, "without a pause there were hundreds"
    assert gaps(at)[5] > gaps(at)[2] > gaps(at)[0]


@pytest.mark.parametrize(("count", "seconds"), [(0, 0.0), (1, 5.0), (2, 10.0), (4, 40.0), (7, 300.0), (5000, 300.0)])
def test_the_more_was_tried_of_late_the_longer_is_the_pause(count: int, seconds: float) -> None:
    assert attempts.Attempts(count, last=1000.0).pause(now=1000.0) == seconds
    assert attempts.Attempts(count, last=1000.0).pause(now=1000.0 + seconds) == 0.0


def test_what_was_tried_more_than_an_hour_ago_or_elsewhere_is_forgotten(bench: Bench) -> None:
    here, other = {"server": "web", "host": "local"}, {"server": "web", "host": "other"}
    bench.ledger.append("replace.intended", {**here})
    bench.clock.let_pass(3700)
    for number in range(600):
        bench.ledger.append("plan", {"number": number})
    bench.ledger.append("replace.intended", {**here})
    bench.ledger.append("replace.intended", {**other})
    bench.ledger.append("replace.intended", {"server": "db", "host": "local"})
    bench.clock.let_pass(7)
    bench.ledger.append("replace.failed", {**here})

    found = attempts.recent(bench.ledger, "replace", ("web", "local"), now=bench.clock.now())

    assert found.count == 1
    assert found.last == pytest.approx(bench.clock.now(), abs=0.01)


def said(bench: Bench) -> list[str]:
    return [event.detail for event in bench.events if event.what == "serve.note"]


def test_what_stays_the_same_is_told_once_and_so_is_its_end(bench: Bench) -> None:
    noting = Noting(bench, every=10.0, fails=(*[TargetFailed("no")] * 4, TargetFailed("other"), None, None, TargetFailed("no"), None))

    served(bench, noting, seconds=1000)

    assert said(bench) == ["no", "other", "in order again", "no", "in order again"]


def test_the_board_holds_how_the_last_turn_of_each_duty_ended_and_how_long_it_took(bench: Bench) -> None:
    class Slow(Noting):
        async def _act(self, server: str) -> str:
            self.bench.clock.let_pass(3.0)
            return await super()._act(server)

    board = served(bench, Slow(bench, every=100.0, fails=(TargetFailed("no"),)), seconds=2, servers=[a_server()])

    ((turn, at, seconds),) = board.last_turns()
    assert (turn.duty, turn.server, turn.outcome, turn.told, seconds) == ("note", "web", FAILED, "no", 3.0)
    assert at == pytest.approx(bench.clock.now(), abs=10)
