"""Asks hosts what they keep of the ledger: to be compared with it, or to put it together again where it was lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSONObject
from vitrify.lifecycle.mutable import scope
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.world import World
from vitrify.ports import Session


@dataclass(frozen=True)
class Testimony:
    """What one host keeps: the newest checkpoint that it saw ("" where it never saw one), where the ledger lived, entries as text."""

    host: str
    checkpoint: str
    home: str
    entries: tuple[str, ...]


def places(servers: Iterable[Server]) -> tuple[tuple[str, Host], ...]:
    """Every host of these servers, once, with a server that lives there."""
    found = {host.name: (server.name, host) for server in servers for host in server.hosts}
    return tuple(found.values())


async def asked(where: Sequence[tuple[str, Host]], world: World, *, parallel: int) -> dict[str, Testimony | VitrifyError]:
    """What each of these hosts keeps, or why it could not be asked."""
    jobs = [partial(_asked, server, host, world) for server, host in where]
    found = await side_by_side(jobs, at_most=parallel)
    return {host.name: one for (_, host), one in zip(where, found, strict=True)}


async def testify(session: Session, server: str, host: Host, world: World) -> None:
    """Let a host on which instances run keep the ledger as it is now; `Busy`, before anything is done, where it saw another one."""
    place: JSONObject = {"scope": scope(server, host, world)}
    answer = await session.call("ledger.held", {**place, "entries": False})
    news = world.mirror.news(host.name, since=world.mirror.judged(answer, host.name))
    if news:
        await session.call("ledger.keep", {**place, **news, "by": world.author})


async def _asked(server: str, host: Host, world: World) -> Testimony:
    async with world.session(host) as session:
        answer = await session.call("ledger.held", {"scope": scope(server, host, world)})
    entries = answer.get("entries")
    lines = tuple(line for line in entries if isinstance(line, str)) if isinstance(entries, list) else ()
    return Testimony(host.name, str(answer.get("checkpoint", "")), str(answer.get("home", "")), lines)
