"""One holder from the first change of a batch to its verdict: the lease that an apply took on a host is kept for what follows it.

The lease travels in the calls that are made anyway. Only where it was kept is it given back by a call of its own, over a connection that is
open. While others of its batch are still at it, the host is told now and then that its holder is there.

| the holder                              | whoever comes next                                                  |
|-----------------------------------------|---------------------------------------------------------------------|
| is killed                               | from its machine: at once; from another one: when the lease ran out |
| is away for longer than the lease holds | at once; the holder does nothing by it any more                     |
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from functools import partial

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import Busy, VitrifyError
from vitrify.core.digest import JSONObject
from vitrify.lifecycle.act import Act
from vitrify.lifecycle.lease import asked_for, ended_here, when_free
from vitrify.lifecycle.sealed import with_seals
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.world import World
from vitrify.ports import Session

_GRACE = 1.0
"""Seconds that whoever tells a host that we are there may still take once nobody needs to be told."""


def lease_of(scope: JSONObject) -> JSONObject:
    """Which lease is meant: that of the server which a scope is about, kept beside all else that its target remembers."""
    return {"home": scope["memory"], "within": scope["root"], "project": scope["project"], "server": scope["server"]}


class Kept:
    """A `Tenure` on one host. Its token is that of the first change, which the host answers with."""

    def __init__(self, host: Host, place: JSONObject, world: World, *, reason: str) -> None:
        self.host = host
        self._place = place
        self._world = world
        self._asked = asked_for(reason, world)
        self._acting = 0
        self.token = 0

    def wish(self) -> JSONObject:
        """The lease is to be kept; once there is one, it is gone on by."""
        return {**self._place, "token": self.token, "kept": True}

    def presented(self) -> JSONObject:
        """Nothing as long as there is no lease."""
        return {"lease": {**self._asked, **self.wish()}} if self.token else {}

    async def enter(self) -> None:
        """Have the lease before anything else is done."""
        if not self.token:
            async with self._world.session(self.host) as session:
                wish: JSONObject = {"lease": {**self._place, **self._asked}}
                acquired = partial(freeing, partial(session.call, "lease.acquire", wish), session, self._place)
                self._took(await when_free(acquired, str(self._place["server"]), self._world))

    @contextmanager
    def acting(self) -> Iterator[None]:
        """The host renews the lease that it acts by: meanwhile nobody else needs to."""
        self._acting += 1
        try:
            yield
        finally:
            self._acting -= 1

    async def heard(self, answer: JSONObject, session: Session) -> None:
        """What a call answered, that may have begun by another process of ours: from now on it is this one that holds the lease."""
        self._took(answer)
        if answer.get("resumed"):
            try:
                await session.call("lease.renew", self.presented())
            except Busy:  # it was over with that process: the next call takes one of its own
                self.token = 0

    def _took(self, answer: JSONObject) -> None:
        token = answer.get("token")
        self.token = token if isinstance(token, int) else self.token

    async def renew(self) -> None:
        """Tell the host that the holder is there; whatever lost the lease is told by the next call that needs it."""
        if self.token and not self._acting:
            with suppress(VitrifyError):
                async with self._world.session(self.host) as session:
                    await session.call("lease.renew", self.presented())

    async def give_back(self) -> None:
        """Let the next one in; a host that is gone, or was left to somebody else, has nothing to be given back."""
        if self.token:
            with suppress(VitrifyError):
                async with self._world.session(self.host) as session:
                    await session.call("lease.release", {"lease": {**self._place, "token": self.token}})


@asynccontextmanager
async def keeping(scopes: Mapping[str, JSONObject], server: Server, world: World, *, reason: str) -> AsyncIterator[Mapping[str, World]]:
    """Host -> the world in which each change of it is made by one lease, until this ends; `scopes` are their targets."""
    kept = {name: Kept(server.host(name), lease_of(scope), world, reason=reason) for name, scope in scopes.items()}
    done = asyncio.Event()
    heart = asyncio.create_task(_beat(kept.values(), done, every=world.lease_seconds / _beats()))
    try:
        yield {name: replace(world.naming(server, name), tenure=tenure) for name, tenure in kept.items()}
    finally:
        done.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(heart, _GRACE)
        # Whoever is interrupted leaves what goes on by the lease to go on; the lease is over with this process.
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            await side_by_side([tenure.give_back for tenure in kept.values()], at_most=max(1, len(kept)))


def _beats() -> int:
    from vitrify.onhost.lease import BEATS  # who only looks holds no lease

    return BEATS


async def _beat(kept: Iterable[Kept], done: asyncio.Event, *, every: float) -> None:
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), every)
        if done.is_set():
            return
        for tenure in kept:
            await tenure.renew()


async def by_lease(act: Act, host: Host, session: Session, world: World, *, fresh: bool) -> JSONObject:
    """Have a host act by the lease that the act asks for; waits for whoever has it as long as `--wait` allows, `Busy` in the end."""
    scope = act.arguments["scope"]
    place = lease_of(scope if isinstance(scope, dict) else {})

    async def once() -> JSONObject:
        with world.tenure.acting():
            answer = await freeing(partial(with_seals, act, host, session, world, fresh=fresh), session, place)
        await world.tenure.heard(answer, session)
        return answer

    return await when_free(once, str(place["server"]), world)


async def freeing(act: Callable[[], Awaitable[JSONObject]], session: Session, place: JSONObject) -> JSONObject:
    """Do it. Where a process of this machine that has ended holds the lease, the host is told so first: it cannot see that."""
    try:
        return await act()
    except Busy:
        last = (await session.call("lease.show", {"lease": place})).get("last")
        if not isinstance(last, dict) or not ended_here(last):
            raise
        ended: JSONObject = {**place, "token": last["token"]}
        await session.call("lease.release", {"lease": ended, "why": "its process has ended"})
        return await act()
