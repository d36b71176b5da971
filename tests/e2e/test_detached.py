"""A call that was detached ends whatever becomes of who asked for it; asked for again, it is the same one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from converging import Machine, Payloads
from vitrify.core.declaration import Content, Host
from vitrify.core.diagnostic import Busy, Denied, PlanStale, TargetFailed, UsageInvalid
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.event import Emit, Event, Stage, silence
from vitrify.core.resource import Address, Resource
from vitrify.onhost.copied import stepped
from vitrify.ports import Session
from vitrify.testing.engine import MEMORY, outcomes, wish
from vitrify.testing.transport_suite import run
from vitrify.transports.local import LocalTransport

pytestmark = pytest.mark.e2e

MANY = 240
"""So many lines of one file take a while: each is announced alone, and made durable."""


@dataclass
class Bench:
    """A folder that is converged by detached calls."""

    machine: Machine
    home: Path

    @property
    def spool(self) -> Path:
        return self.home / "spool"

    def files(self, count: int, text: str = "text") -> list[Resource]:
        """So many wishes."""
        digest = self.machine.text(text)
        return [wish("file", path=f"/etc/{number}", content=digest) for number in range(count)]

    def lines(self, count: int) -> list[Resource]:
        """So many wishes, none of which can be announced with another one."""
        (self.machine.root / "etc/lines").touch()
        fields: list[dict[str, JSON]] = [{"path": "/etc/lines", "line": str(number)} for number in range(count)]
        return [Resource(Address("line", f"/etc/lines#{one['line']}"), one) for one in fields]

    def journal(self, run: str) -> list[str]:
        """What was written about a run, in order."""
        lines = (self.machine.root / MEMORY / "runs" / run / "journal.ndjson").read_text().splitlines()
        return [json.loads(line)["record"] for line in lines]

    def worker(self) -> int:
        """The process that holds the memory."""
        return int(json.loads((self.machine.root / MEMORY / "lock").read_text())["pid"])

    @asynccontextmanager
    async def session(self, **environ: str) -> AsyncIterator[Session]:
        transport = LocalTransport(self.home, environ={**os.environ, **environ}, pythons=(sys.executable,))
        session = await transport.connect(Host("machine"))
        try:
            yield session
        finally:
            await session.close()

    async def enact(self, session: Session, inner: JSONObject, *, operation: str = "r1", emit: Emit = silence) -> JSONObject:
        """The call `enact`, detached."""
        told: JSONObject = {"scope": self.machine.scope(), **inner}
        arguments: JSONObject = {"call": "enact", "operation": operation, "spool": str(self.spool), "arguments": told}
        return await session.call("detached", arguments, contents=self.machine.contents, emit=emit)

    async def cut(self, inner: JSONObject) -> int:
        """Ask, and lose the connection as soon as the first change has begun; what carries it out stands still, and is the answer."""
        begun = asyncio.Event()
        async with self.session() as session:
            call = asyncio.ensure_future(self.enact(session, inner, emit=lambda _: begun.set()))
            await begun.wait()
            worker = self.worker()
            os.kill(worker, signal.SIGSTOP)
            call.cancel()
            with suppress(asyncio.CancelledError):
                await call
        return worker


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    payloads = Payloads(tmp_path / "home", python=sys.executable)
    yield Bench(Machine(root, payloads), tmp_path / "home")
    payloads.close()


def test_what_was_begun_goes_on_without_the_connection_and_is_found_again(bench: Bench) -> None:
    inner = bench.machine.planned(bench.lines(MANY), run="r1")
    heard: list[Event] = []

    async def work() -> tuple[int, JSONObject]:
        worker = await bench.cut(inner)
        done = len((bench.machine.root / "etc/lines").read_text().splitlines())
        os.kill(worker, signal.SIGCONT)
        async with bench.session() as session:
            return done, await bench.enact(session, inner, emit=heard.append)

    done_by_then, answer = run(work())

    assert done_by_then < MANY
    assert (answer["resumed"], answer["run"], outcomes(answer)) == (True, "r1", ["done"] * MANY)
    assert [event.stage for event in heard if event.what == "change"] == [Stage.STARTED, Stage.DONE] * MANY
    assert bench.journal("r1") == ["begin", *["intent", "outcome"] * MANY, "end"]


def test_what_a_change_needs_is_sent_before_it_goes_its_own_way(bench: Bench) -> None:
    source = bench.machine.root.parent / "source"
    source.write_text("kept elsewhere")
    digest = digest_bytes(b"kept elsewhere")
    bench.machine.contents[digest] = Content(path=str(source))
    last = wish("file", path="/etc/last", content=digest)
    tree = wish("tree", to="/etc/tree", entries={"page": {"type": "file", "mode": "0644", "content": bench.machine.text("page")}})
    inner = bench.machine.planned([*bench.lines(MANY), last, tree], run="r1")

    async def work() -> JSONObject:
        worker = await bench.cut(inner)
        source.unlink()
        bench.machine.contents.clear()
        os.kill(worker, signal.SIGCONT)
        async with bench.session() as session:
            return await bench.enact(session, inner)

    assert outcomes(run(work())) == ["done"] * (MANY + 2)
    assert (bench.machine.root / "etc/last").read_text() == "kept elsewhere"
    assert (bench.machine.root / "etc/tree/page").read_text() == "page"


def test_the_projects_copy_of_a_baseline_is_sent_along_where_the_host_has_another(bench: Bench) -> None:
    (bench.machine.root / "srv").mkdir()
    srv = wish("directory", path="/srv")

    async def enacted(operation: str, inner: JSONObject) -> JSONObject:
        async with bench.session() as session:
            return await bench.enact(session, inner, operation=operation)

    def applied(name: str, **more: JSON) -> JSONObject:
        inner = bench.machine.planned([srv, *bench.files(1, name)], run=name)
        return run(enacted(name, {**inner, **more}))

    first = applied("r1")
    copies = first["copies"]
    assert isinstance(copies, dict)
    assert isinstance(copies["/srv"], dict)
    copy = stepped(b"", copies["/srv"])
    assert first["seals"] == {"/srv": digest_bytes(copy)}
    bench.machine.contents[digest_bytes(copy)] = Content(data=copy)
    (bench.machine.root / MEMORY / "baseline").unlink()
    (bench.machine.root / "srv/intruder").write_text("boo\n")

    second = applied("r2", sealed=first["seals"])

    assert second["found"] == second["seals"] == first["seals"], "it began from the copy"
    assert bench.machine.call("audit", {"resources": [], "folders": ["/srv"]})["swept"] == 2


def test_an_operation_that_has_ended_is_not_carried_out_twice(bench: Bench) -> None:
    inner = bench.machine.planned(bench.files(1), run="r1")

    async def work() -> list[JSONObject]:
        answers = []
        for _ in range(2):
            async with bench.session() as session:
                answers.append(await bench.enact(session, inner))
            (bench.machine.root / "etc/0").unlink(missing_ok=True)
        return answers

    first, second = run(work())

    assert (first["resumed"], second["resumed"]) == (False, True)
    assert first["results"] == second["results"]
    assert not (bench.machine.root / "etc/0").exists()


def test_another_operation_waits_until_the_first_has_ended(bench: Bench) -> None:
    inner = bench.machine.planned(bench.lines(MANY), run="r1")

    async def work() -> None:
        worker = await bench.cut(inner)
        async with bench.session() as session:
            with pytest.raises(Busy, match="r1, begun by ada@laptop"):
                await bench.enact(session, {**inner, "run": "r2"}, operation="r2")
            os.kill(worker, signal.SIGCONT)
            await bench.enact(session, inner)

    run(work())


def test_a_process_that_is_killed_is_told_and_the_same_operation_finishes_what_it_began(bench: Bench) -> None:
    inner = bench.machine.planned(bench.lines(MANY), run="r1")

    async def work() -> JSONObject:
        async with bench.session() as session:
            begun = asyncio.Event()
            call = asyncio.ensure_future(bench.enact(session, inner, emit=lambda _: begun.set()))
            await begun.wait()
            os.kill(bench.worker(), signal.SIGKILL)
            with pytest.raises(TargetFailed, match="run the same command again"):
                await call
            return await bench.enact(session, inner)

    answer = run(work())

    assert (answer["resumed"], outcomes(answer)) == (False, ["done"] * MANY)
    assert bench.journal("r1").count("begin") == 1


def test_an_error_is_no_answer_to_keep(bench: Bench) -> None:
    inner = bench.machine.planned(bench.files(1), run="r1")

    async def work() -> JSONObject:
        async with bench.session() as session:
            with pytest.raises(PlanStale):
                await bench.enact(session, {**inner, "expect": "sha256:of something else"})
            return await bench.enact(session, inner)

    assert outcomes(run(work())) == ["done"]


def test_a_spool_that_somebody_else_could_write_to_is_refused(bench: Bench) -> None:
    bench.spool.mkdir(mode=0o777, parents=True)
    bench.spool.chmod(0o777)
    inner = bench.machine.planned(bench.files(1), run="r1")

    async def work() -> None:
        async with bench.session() as session:
            with pytest.raises(Denied, match="not to be trusted"):
                await bench.enact(session, inner)

    run(work())


def test_a_call_that_detaches_itself_is_refused(bench: Bench) -> None:
    async def work() -> None:
        async with bench.session() as session:
            with pytest.raises(UsageInvalid, match="could be detached"):
                await session.call("detached", {"call": "detached", "arguments": {}})

    run(work())
