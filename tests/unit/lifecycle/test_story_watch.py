"""A watch tells what an audit would, at once and with a name: each difference once, and nothing of what vitrify itself does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from bench import Bench, SteppingClock, a_server, do, in_place

from vitrify.core.declaration import Content, Host, Server
from vitrify.core.diagnostic import TargetUnreachable, UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.drift import Class
from vitrify.core.event import Emit, Event, Stage, silence
from vitrify.core.resource import Address, Resource
from vitrify.core.watched import Seen
from vitrify.lifecycle import mutable
from vitrify.lifecycle.audit import audit
from vitrify.lifecycle.watch import watch
from vitrify.lifecycle.world import World
from vitrify.onhost.watching import AUDIT, GAP, RUNG, TOUCHED
from vitrify.ports import Session
from vitrify.testing.engine import quick_folder

WHO: JSONObject = {"pid": 91, "exe": "/usr/bin/dash", "command": "sh -c 'secret'", "uid": 0, "login": 1000, "at": 5.0}


@dataclass
class Listener:
    """Answers the call `watch` with what a test says; every other call is the payload's own."""

    below: Session
    begun: asyncio.Event
    emits: list[Emit] = field(default_factory=list)
    asked: list[JSONObject] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    closed: int = 0

    async def call(
        self, name: str, arguments: JSONObject, *, contents: Mapping[str, Content] | None = None, emit: Emit = silence
    ) -> JSONObject:
        if name == "lease.show":
            return {"last": None, "standing": False}
        if name != "watch":
            return await self.below.call(name, arguments, contents=contents, emit=emit)
        self.asked.append(arguments)
        self.emits.append(emit)
        emit(Event(RUNG, Stage.NOTICE, AUDIT, "as told"))
        self.begun.set()
        await self.ended.wait()
        if not self.closed:
            raise TargetUnreachable("the host went away")
        return {}

    async def close(self) -> None:
        self.closed += 1
        self.ended.set()

    def touched(self, *paths: str) -> None:
        self.emits[0](Event(TOUCHED, Stage.PROGRESS, data={"touches": [{**WHO, "path": path, "what": "written"} for path in paths]}))


@dataclass
class Watching:
    """A watch that goes on, and what it told."""

    listener: Listener
    told: list[Seen]
    more: asyncio.Event

    async def findings(self, count: int) -> list[Seen]:
        async with asyncio.timeout(10):
            while len(self.told) < count:
                await self.more.wait()
                self.more.clear()
        return self.told


@asynccontextmanager
async def watching(server: Server, bench: Bench) -> AsyncIterator[Watching]:
    listeners: list[Listener] = []
    begun, more = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def session(host: Host) -> AsyncIterator[Session]:
        async with bench.world.session(host) as below:
            listeners.append(Listener(below, begun))
            yield listeners[-1]

    world: World = replace(bench.world, session=session)
    told: list[Seen] = []

    def tell(seen: Seen) -> None:
        told.append(seen)
        more.set()

    task = asyncio.create_task(watch([server], world, tell=tell))
    await asyncio.wait_for(begun.wait(), 10)
    try:
        yield Watching(listeners[0], told, more)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def root() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def server(root: Path, bench: Bench) -> Server:
    plain = in_place(root, ("/etc/motd", "hello\n"))
    found = replace(plain, resources=(Resource(Address("directory", "/srv"), {"path": "/srv"}), *plain.resources))
    (root / "etc").mkdir()
    do(mutable.apply(found, found.hosts[0], do(mutable.plan(found, found.hosts[0], bench.world)), bench.world))
    return found


def test_a_touch_is_looked_at_and_the_finding_says_who(server: Server, root: Path, bench: Bench) -> None:
    async def story() -> list[Seen]:
        async with watching(server, bench) as now:
            await asyncio.sleep(0.2)
            (root / "srv" / "intruder").write_text("x")
            now.listener.touched("/srv/intruder")
            return await now.findings(1)

    ((seen),) = do(story())

    finding = seen.finding
    assert (finding.path, finding.classed, finding.evidence, seen.before) == ("/srv/intruder", Class.UNAUTHORISED, AUDIT, False)
    assert finding.actor is not None
    assert (finding.actor.exe, finding.actor.uid, finding.actor.login) == ("/usr/bin/dash", 0, 1000)


class Turning(SteppingClock):
    """Whoever sleeps lets the others go on."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await asyncio.sleep(0)


def test_a_name_that_is_heard_after_the_look_is_waited_for(server: Server, root: Path, bench: Bench) -> None:
    bench.clock = Turning()

    async def story() -> list[Seen]:
        async with watching(server, bench) as now:
            await asyncio.sleep(0.2)
            (root / "srv" / "intruder").write_text("x")
            now.listener.touched("/srv")  # wakes it, and names nobody
            bench.clock.after(0.2, lambda: now.listener.touched("/srv/intruder"))
            return await now.findings(1)

    ((seen),) = do(story())

    assert seen.finding.actor is not None


def test_who_is_not_known_is_told_with_why(server: Server, root: Path, bench: Bench) -> None:
    async def story() -> list[Seen]:
        async with watching(server, bench) as now:
            await asyncio.sleep(0.2)
            (root / "srv" / "intruder").write_text("x")
            now.listener.emits[0](Event(RUNG, Stage.NOTICE, "inotify", "as told"))
            now.listener.emits[0](Event(TOUCHED, Stage.PROGRESS, data={"touches": [{"path": "/srv/intruder", "what": "created"}]}))
            await now.findings(1)
            (root / "srv" / "unheard").write_text("x")
            now.listener.touched("/srv")
            return await now.findings(2)

    told = {seen.finding.path: (seen.finding.evidence, seen.finding.who) for seen in do(story())}

    assert told == {
        "/srv/intruder": ("inotify", "not known, because the watch stood on inotify, which tells paths and nobody's name"),
        "/srv/unheard": ("sweep", "not known, because the watch heard nothing of it"),
    }


def test_what_was_there_before_is_told_as_that_and_names_nobody(server: Server, root: Path, bench: Bench) -> None:
    (root / "srv" / "old").write_text("x")

    async def story() -> list[Seen]:
        async with watching(server, bench) as now:
            return await now.findings(1)

    ((seen),) = do(story())

    assert (seen.before, seen.finding.evidence, seen.finding.actor) == (True, "sweep", None)


def test_the_ledger_holds_a_finding_once_with_who_and_without_the_command(server: Server, root: Path, bench: Bench) -> None:
    async def story() -> None:
        async with watching(server, bench) as now:
            await asyncio.sleep(0.2)
            (root / "srv" / "intruder").write_text("x")
            now.listener.touched("/srv/intruder")
            await now.findings(1)

    do(story())
    do(audit([server], bench.world, full=False))

    (entry,) = bench.bodies("finding")
    assert entry["actor"] == {"pid": 91, "exe": "/usr/bin/dash", "uid": 0, "login": 1000, "at": 5}
    assert "secret" not in str(entry)


def test_a_difference_is_told_once_while_it_is_there(server: Server, root: Path, bench: Bench) -> None:
    async def story() -> list[str]:
        async with watching(server, bench) as now:
            (root / "srv" / "one").write_text("x")
            now.listener.touched("/srv/one")
            await now.findings(1)
            (root / "srv" / "two").write_text("x")
            now.listener.touched("/srv/one", "/srv/two")
            return [seen.finding.path for seen in await now.findings(2)]

    assert do(story()) == ["/srv/one", "/srv/two"]


def test_an_apply_while_the_watch_is_on_is_no_finding(server: Server, root: Path, bench: Bench) -> None:
    async def story() -> list[str]:
        async with watching(server, bench) as now:
            await asyncio.sleep(0.2)
            plain = in_place(root, ("/etc/motd", "hello\n"), ("/srv/wished", "x"))
            wished = replace(plain, resources=(server.resources[0], *plain.resources))
            host = server.hosts[0]
            await mutable.apply(wished, host, await mutable.plan(wished, host, bench.world), bench.world)
            now.listener.touched("/srv/wished")
            await asyncio.sleep(0.3)
            (root / "srv" / "intruder").write_text("x")
            now.listener.touched("/srv/intruder")
            return [seen.finding.path for seen in await now.findings(1)]

    assert do(story()) == ["/srv/intruder"]


def test_a_gap_is_told_and_looked_at(server: Server, root: Path, bench: Bench) -> None:
    async def story() -> list[Seen]:
        async with watching(server, bench) as now:
            await asyncio.sleep(0.2)
            (root / "srv" / "unheard").write_text("x")
            now.listener.emits[0](Event(GAP, Stage.NOTICE, "", "records were lost"))
            return await now.findings(1)

    ((seen),) = do(story())

    assert (seen.finding.path, seen.finding.actor, seen.finding.evidence) == ("/srv/unheard", None, "sweep")
    assert any("a gap" in event.detail for event in bench.events)


def test_it_listens_to_folders_and_to_files_outside_of_them(server: Server, bench: Bench) -> None:
    async def story() -> JSONObject:
        async with watching(server, bench) as now:
            return now.listener.asked[0]

    asked = do(story())

    assert (asked["folders"], asked["files"]) == (["/srv"], ["/etc/motd"])


def test_its_listener_is_closed_and_not_cut_off_when_it_ends(server: Server, bench: Bench) -> None:
    async def story() -> int:
        async with watching(server, bench) as now:
            pass
        return now.listener.closed

    assert do(story()) == 1


def test_a_server_of_instances_alone_is_refused_with_what_to_do(bench: Bench) -> None:
    with pytest.raises(UsageInvalid, match="nothing to watch"):
        do(watch([a_server()], bench.world, tell=lambda _: None))
