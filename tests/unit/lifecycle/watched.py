"""One turn of duties of `serve`, by a process that has just begun, over a bench whose routers may be gone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from bench import ROLLOUT, Bench, a_server, do

from vitrify.core.declaration import Content, Host, Server
from vitrify.core.digest import JSONObject
from vitrify.core.event import Emit, silence
from vitrify.core.schedule import Schedule
from vitrify.core.served import Turn
from vitrify.lifecycle.duty import Charge, Duty
from vitrify.lifecycle.serve import once
from vitrify.lifecycle.serve_board import Board
from vitrify.lifecycle.world import Site

PAIR = replace(ROLLOUT, probation=0.0)


class Answers:
    """A session that answers at once, with what a router's home knows."""

    def __init__(self, lost: list[str]) -> None:
        self._lost = lost

    async def call(
        self, name: str, arguments: JSONObject, *, contents: Mapping[str, Content] | None = None, emit: Emit = silence
    ) -> JSONObject:
        """Routers that are gone, and those that came back."""
        if name == "lease.show":
            return {"last": None, "standing": False}
        found = list(self._lost)
        if name == "router.revive":
            self._lost.clear()
        return {"routers": [*found]}

    async def close(self) -> None:
        """Nothing to end."""


class Watched(Bench):
    """A bench whose routers may be gone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.lost: list[str] = []

    @asynccontextmanager
    async def _site(self, host: Host) -> AsyncIterator[Site]:
        async with super()._site(host) as site:
            yield replace(site, session=Answers(self.lost))


def pair(bench: Bench) -> Server:
    server = a_server("one", replicas=2, rollout=PAIR)
    bench.apply(server)
    return server


def turns(bench: Bench, server: Server, *duties: Duty) -> tuple[Turn, ...]:
    """One turn of each, by a process that has just begun."""
    board = Board(bench.clock.now())
    return do(once(duties, Charge((server,), Schedule(), bench.world, board), parallel=2)).turns
