"""A watch in memory: its listener says what a test says, all else is the payload's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from bench import Bench

from vitrify.core.declaration import Content, Host, Server
from vitrify.core.diagnostic import TargetUnreachable
from vitrify.core.digest import JSONObject
from vitrify.core.event import Emit, Event, Stage, silence
from vitrify.core.watched import Seen
from vitrify.lifecycle.watch import watch
from vitrify.lifecycle.world import Site, World
from vitrify.onhost.watching import AUDIT, RUNG, TOUCHED
from vitrify.ports import Session

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
        """As the payload would."""
        if name == "lease.show":
            return {"last": None, "standing": False}
        if name not in ("watch", "watch.inside"):
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
        """Nobody listens any more."""
        self.closed += 1
        self.ended.set()

    def touched(self, *paths: str, where: str = "") -> None:
        """Somebody wrote there."""
        more: JSONObject = {"where": where, "inside": where} if where else {}
        told = [{**WHO, **more, "path": path, "what": "written"} for path in paths]
        self.emits[0](Event(TOUCHED, Stage.PROGRESS, data={"touches": [*told]}))


@dataclass
class Watching:
    """A watch that goes on, and what it told."""

    listener: Listener
    told: list[Seen]
    more: asyncio.Event
    task: asyncio.Task[None]

    async def findings(self, count: int) -> list[Seen]:
        """So many, once they were told."""
        async with asyncio.timeout(10):
            while len(self.told) < count:
                await self.more.wait()
                self.more.clear()
        return self.told


def listened(bench: Bench, begun: asyncio.Event, listeners: list[Listener]) -> World:
    """The bench's world, in whose sessions such a listener listens."""

    @asynccontextmanager
    async def session(host: Host) -> AsyncIterator[Session]:
        async with bench.world.session(host) as below:
            listeners.append(Listener(below, begun))
            yield listeners[-1]

    @asynccontextmanager
    async def site(host: Host) -> AsyncIterator[Site]:
        async with bench.world.site(host) as found:
            listeners.append(Listener(found.session, begun))
            yield replace(found, session=listeners[-1])

    return replace(bench.world, session=session, site=site)


@asynccontextmanager
async def watching(server: Server, bench: Bench) -> AsyncIterator[Watching]:
    """A watch of this server, until the end of the block."""
    listeners: list[Listener] = []
    begun, more = asyncio.Event(), asyncio.Event()
    world = listened(bench, begun, listeners)
    told: list[Seen] = []

    def tell(seen: Seen) -> None:
        told.append(seen)
        more.set()

    task = asyncio.create_task(watch([server], world, tell=tell))
    await asyncio.wait({task, asyncio.create_task(begun.wait())}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield Watching(listeners[0], told, more, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
