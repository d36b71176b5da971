"""The story of `vitrify watch`: a listener on each host says that something was touched and by whom; an audit says what that is.

So a finding is classed as every audit classes it, and what the listener missed is found all the same:

| what happened                               | who finds it                                                             |
|---------------------------------------------|--------------------------------------------------------------------------|
| before the watch, or between two            | the look that begins a watch; nobody is named                            |
| while it listens                            | a look at once, with the name that the kernel gave                       |
| while the kernel or the channel lost events | a look at once: a gap is told, and whoever wrote in it is not named      |
| an apply of vitrify's own                   | nobody: while a lease stands nothing is judged, then the new baseline is |
| nothing was heard for a minute              | the look that is due anyway                                              |
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import replace
from functools import partial

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import UsageInvalid, VitrifyError
from vitrify.core.digest import JSONObject, digest_of
from vitrify.core.drift import Audit, Class, Finding
from vitrify.core.event import Event, Stage
from vitrify.core.watched import Seen, Tell
from vitrify.lifecycle import holders
from vitrify.lifecycle.audit import audit_host, audit_instances, audited_folders, record_new, unauthorised
from vitrify.lifecycle.lodging import lodged
from vitrify.lifecycle.mutable import scope
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.touches import Touches
from vitrify.lifecycle.world import World
from vitrify.onhost.watching import AUDIT, GAP, INOTIFY, POLLING, RUNG, TOUCHED

GATHER = 0.1
"""Seconds between a touch and the look at it: what comes together is looked at together."""
HEARD = 0.5
"""Seconds that what a look found waits for its name: on a busy host the look may end before the listener told all that it knows."""
IDLE = 60.0
"""Seconds after which one looks although nothing was heard: a process older than the kernel's auditing writes unheard."""
_SHARE = 10.0
"""So many times as long as a look took nobody looks again, where nothing tells that something was touched."""
_RETRY = 0.2


async def watch(servers: Sequence[Server], world: World, *, tell: Tell) -> None:
    """Listen on every host of these servers until this is cancelled; a host that is lost is told, and the others go on.

    Raises the first host's error once none is left; UsageInvalid where there is nothing to listen to.
    """
    places = [(server, host) for server in servers for host in _hosts(server, world)]
    if not places:
        raise UsageInvalid(
            "there is nothing to watch", why="no instance of these servers runs anywhere", hint="`vitrify apply` starts some"
        )
    posts = [Post(server, host, world.named(server.name, host.name), tell) for server, host in places]
    ended = await side_by_side([partial(_kept, post) for post in posts], at_most=len(posts))
    raise next(error for error in ended if isinstance(error, VitrifyError))


def _hosts(server: Server, world: World) -> tuple[Host, ...]:
    return server.hosts if server.lifecycle is Lifecycle.MUTABLE else lodged(server.name, world)


async def _kept(post: Post) -> None:
    try:
        await post.stand()
    except VitrifyError as error:
        post.world.say("watch", post.host.name, f"is watched no more: {error.diagnostics[0].summary}", stage=Stage.FAILED)
        raise


class Post:
    """One server on one host, and what was heard of it since the last look."""

    def __init__(self, server: Server, host: Host, world: World, tell: Tell) -> None:
        self.server, self.host, self.world = server, host, world
        self._tell = tell
        self._touches = Touches()
        self._heard = asyncio.Event()
        self._rung = ""
        self._told: set[str] = set()
        self._before = True
        self._immutable = server.lifecycle is Lifecycle.IMMUTABLE

    async def stand(self) -> None:
        """Listen, look, and look again whenever there is a reason; ends by an error, or by being cancelled."""
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            # A look follows a touch within the second: no process is started for it.
            if self._immutable:
                session = (await stack.enter_async_context(self.world.site(self.host))).session
                site = await stack.enter_async_context(self.world.site(self.host))
                self.world = replace(self.world, site=lambda _: nullcontext(site))
                call, asked = "watch.inside", self._inside(site.home)
            else:
                session = await stack.enter_async_context(self.world.session(self.host))
                looking = await stack.enter_async_context(self.world.session(self.host))
                self.world = replace(self.world, session=lambda _: nullcontext(looking))
                call, asked = "watch", self._asked()

            def emit(event: Event) -> None:
                loop.call_soon_threadsafe(self._hear, event)

            listening = asyncio.create_task(session.call(call, asked, emit=emit))
            try:
                await self._listen(listening)
            finally:
                # Closed, not cancelled: the listener takes its rules away before it ends.
                await asyncio.shield(session.close())
                await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, listening: asyncio.Task[JSONObject]) -> None:
        await self._woken(listening, at_most=IDLE)  # it says on which rung it stands before anything else
        while not listening.done():
            self._heard.clear()
            took = await self._look()
            await self._woken(listening, at_most=max(1.0, took * _SHARE) if self._rung == POLLING else IDLE)
            await self.world.clock.sleep(GATHER)
        listening.result()

    async def _woken(self, listening: asyncio.Task[JSONObject], *, at_most: float) -> None:
        waiting = asyncio.create_task(self._heard.wait())
        try:
            await asyncio.wait({waiting, listening}, timeout=at_most, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()

    def _inside(self, home: str) -> JSONObject:
        return {"home": home, "labels": {**self.world.labels(self.server.name)}}

    def _asked(self) -> JSONObject:
        wishes = [wish for wish in self.server.wishes(self.host) if not wish.absent]
        folders = audited_folders(self.server, self.host)
        within = tuple(f"{folder.rstrip('/')}/" for folder in folders)
        named = {wish.address.name for wish in wishes} | {str(wish.fields.get("path", "")) for wish in wishes}
        files = sorted(name for name in named if name.startswith("/") and name not in folders and not name.startswith(within))
        return {"scope": scope(self.server.name, self.host, self.world), "folders": list(folders), "files": list(files)}

    def _hear(self, event: Event) -> None:
        if event.what == TOUCHED:
            self._touches.take(event.data)
        elif event.what == RUNG:
            self._rung = event.subject
            needs = "" if event.subject == AUDIT else " (audit needs root, outside of any container, and rules that are not locked)"
            self.world.say("watch", self.host.name, f"stands on {event.subject}: {event.detail}{needs}")
        elif event.what == GAP:
            self.world.say("watch", self.host.name, f"a gap, and so a look: {event.detail}")
        self._heard.set()

    async def _look(self) -> float:
        """Look, judge, tell; seconds that it took. While somebody changes the server by its lease, wait until that has ended."""
        begun = self.world.clock.monotonic()
        while True:
            lease = await self._lease()
            found = await self._audited() if lease is not None else None
            if found is not None and lease == await self._lease():
                break
            await self.world.clock.sleep(_RETRY)
        took = self.world.clock.monotonic() - begun
        await self._named(found)
        self._judge(found)
        return took

    async def _named(self, found: Audit) -> None:
        until = self.world.clock.monotonic() + HEARD
        nameless = list(self._new(found).values()) if self._rung != POLLING and not self._before else []
        while self.world.clock.monotonic() < until and not all(self._touches.knows(finding) for finding in nameless):
            await self.world.clock.sleep(GATHER)

    def _new(self, found: Audit) -> dict[str, Finding]:
        """What was not told yet, by its identity."""
        plain = {digest_of(finding.identity): finding for finding in found.findings}
        return {identity: finding for identity, finding in plain.items() if identity not in self._told}

    async def _audited(self) -> Audit:
        if self._immutable:
            return await audit_instances(self.server, self.host, self.world)
        return await audit_host(self.server, self.host, self.world, full=False, reread=0)

    async def _lease(self) -> int | None:
        """The token of the last lease, which moves on with every change; None while one stands."""
        (view,) = await holders.held([replace(self.server, hosts=(self.host,))], self.world, parallel=1)
        return None if view.standing else view.token

    def _judge(self, found: Audit) -> None:
        new = self._new(found)
        self._told = {digest_of(finding.identity) for finding in found.findings}
        record_new(unauthorised(new.values()), self.world, told_as=self._attributed)
        for finding in new.values():
            if finding.classed is not Class.AUTHORISED:
                self._tell(Seen(self._attributed(finding), before=self._before))
        if self._before:
            self.world.say("watch", self.host.name, "has looked: what differs from now on is told as it comes to be")
        self._before = False

    def _attributed(self, finding: Finding) -> Finding:
        return finding if self._before else self._touches.attributed(finding, evidence=self._rung or INOTIFY)
