"""The duty `watch`: somebody listens all the time, and what is found goes to the ledger at once. Only told; answers are `respond`'s."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

from vitrify.core.declaration import Lifecycle, Server
from vitrify.core.watched import Seen
from vitrify.lifecycle.duty import Charge, Job
from vitrify.lifecycle.lodging import lodged
from vitrify.lifecycle.serve_board import Place
from vitrify.lifecycle.watch import Post
from vitrify.lifecycle.world import World

_GLANCE = 1.0
"""Seconds between two looks at whether the server is still declared as it was when the listening began."""


class Watching:
    """Each host has a listener of its own beside all else that is done there. One that ends, whatever of, begins again with a look."""

    def __init__(self) -> None:
        self._declared: dict[Place, Server] = {}

    def jobs(self, charge: Charge) -> Iterator[Job]:
        """One for each host."""
        self._declared = {}
        for server in charge.servers:
            for host in server.hosts if server.lifecycle is Lifecycle.MUTABLE else lodged(server.name, charge.world):
                self._declared[server.name, host.name] = server
                post = partial(Post, server, host, charge.world.named(server.name, host.name))
                act = partial(self._listened, post, (server.name, host.name), charge.world)
                yield Job("watch", server.name, server.schedule.watch, act, host=host.name, apart=True)

    async def _listened(self, post: partial[Post], place: Place, world: World) -> str:
        """Until it is lost, or what is declared is something else: then whoever listens next knows that."""

        def tell(seen: Seen) -> None:
            found = seen.finding
            who = f" by {found.who}" if found.who else ""
            world.say("serve.watch", place[0], f"{found.classed.value}: {found.path} {found.change} in {found.where}{who}")

        begun = self._declared.get(place)
        standing = asyncio.create_task(post(tell).stand())
        try:
            while not standing.done() and self._declared.get(place) is begun:
                await asyncio.wait({standing}, timeout=_GLANCE)
            if standing.done():
                standing.result()
        finally:
            standing.cancel()
            await asyncio.gather(standing, return_exceptions=True)
        return ""
