"""Quarantine: what is in it, what goes in, and back. Paths of hosts by the payload's `quarantine.*`, instances by their runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.quarantined import Quarantined
from vitrify.ledger.entry import Entry
from vitrify.lifecycle import lodging, record
from vitrify.lifecycle.cases import Case
from vitrify.lifecycle.lease import asked_for, holding, when_free
from vitrify.lifecycle.mutable import scope
from vitrify.lifecycle.world import World
from vitrify.ports import Session

if TYPE_CHECKING:
    from collections.abc import Iterable

INTENDED, BACK, GONE = "quarantine.intended", "quarantine.back", "quarantine.discarded"
_KINDS = (INTENDED, BACK, GONE)
_LOOKED_BACK = 4096
"""So many entries ago, at most, a command was begun that the same one ends."""


@dataclass(frozen=True)
class _Place:
    server: Server
    host: Host
    session: Session


async def set_aside(server: Server, host: Host, cases: Sequence[Case], world: World) -> tuple[str, ...]:
    """Move what these findings are about into the host's quarantine, each under the name of its entry; "PATH as ID" of each.

    Done twice it is done once: of what was moved already, or is not there to be moved, nothing is touched.
    """
    taken = []
    async with world.session(host) as session:
        for case in cases:
            name = f"{world.project_id[:6]}-{case.entry}"
            about: JSONObject = {"id": name, "path": case.path, "why": f"finding {case.entry} of the ledger", "entry": case.entry}
            answer = await _asked("quarantine.take", about, _Place(server, host, session), world)
            taken += [f"{case.path} as {name}"] if answer.get("taken") is True else []
    return tuple(taken)


async def _asked(call: str, about: JSONObject, at: _Place, world: World) -> JSONObject:
    arguments: JSONObject = {
        "scope": scope(at.server.name, at.host, world),
        "operation": str(about["id"]),
        "by": world.author,
        "lease": asked_for("quarantine", world, operation=str(about["id"])),
        **about,
    }
    return await when_free(lambda: at.session.call(call, arguments), at.server.name, world)


async def listed(servers: Iterable[Server], world: World) -> tuple[Quarantined, ...]:
    """Everything of these servers that is in quarantine, host by host."""
    return tuple([one for server in servers for host in _hosts(server, world) for one in await _on(server, host, world)])


def _hosts(server: Server, world: World) -> tuple[Host, ...]:
    known = {host.name: host for host in (*lodging.places(server), *world.state.hosts(server.name))}
    return server.hosts if server.lifecycle is Lifecycle.MUTABLE else tuple(known.values())


async def _on(server: Server, host: Host, world: World) -> list[Quarantined]:
    if server.lifecycle is Lifecycle.IMMUTABLE:
        async with world.site(host) as site:
            return [_kept(server, host, one) for one in await site.runtime.quarantined(world.labels(server.name))]
    async with world.session(host) as session:
        answer = await session.call("quarantine.list", {"scope": scope(server.name, host, world)})
    entries = answer.get("entries")
    return [_kept(server, host, one) for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []


def _kept(server: Server, host: Host, found: JSONObject) -> Quarantined:
    at, entry = found.get("at"), found.get("entry")
    return Quarantined(
        server=server.name,
        host=host.name,
        id=str(found["id"]),
        path=str(found.get("path") or ""),
        what=str(found.get("type") or "instance"),
        why=str(found.get("why") or ""),
        at=at if isinstance(at, int) else 0,
        entry=entry if isinstance(entry, int) else 0,
        sha256=str(found.get("sha256") or ""),
    )


async def put_back(servers: Sequence[Server], name: str, world: World) -> Quarantined:
    """Move a path back to where it was; UsageInvalid for an instance, which never runs again. Cut short, the same call ends it."""
    return await _end(await _found(servers, name, world), BACK, world)


async def discard(servers: Sequence[Server], name: str, world: World) -> Quarantined:
    """Remove it for good; what it was stays in the ledger. Cut short, the same call ends it."""
    return await _end(await _found(servers, name, world), GONE, world)


@dataclass(frozen=True)
class _Found:
    server: Server
    host: Host
    what: Quarantined
    since: int
    """Where the ledger may hold its end."""


async def _end(found: _Found, kind: str, world: World) -> Quarantined:
    what, server, host = found.what, found.server, found.host
    if kind == BACK and not what.path:
        raise UsageInvalid(f"{what.id} is an instance: it never runs again", hint=f"`vitrify quarantine discard {what.id}` removes it")
    body: JSONObject = {"operation": what.id, "server": server.name, "host": host.name, "to": kind, "what": what.to_json()}
    record.once(world.ledger, INTENDED, body, since=found.since)
    world.reached("quarantine-end.intent")
    if what.path:
        call = "quarantine.put_back" if kind == BACK else "quarantine.discard"
        async with world.session(host) as session:
            await _asked(call, {"id": what.id}, _Place(server, host, session), world)
    else:
        async with holding(server.name, host, world, reason="quarantine") as site:
            await site.runtime.discard(what.id, evidence=True)
    world.reached("quarantine-end.act")
    record.once(world.ledger, kind, body, since=found.since)
    world.reached("quarantine-end.outcome")
    return what


async def _found(servers: Sequence[Server], name: str, world: World) -> _Found:
    """What is there under this name or of this path, or what a killed command began to end; UsageInvalid where that is nothing."""
    begun = _begun(name, world)
    for server in servers:
        for host in _hosts(server, world):
            if begun is not None and (begun.body.get("server"), begun.body.get("host")) == (server.name, host.name):
                return _Found(server, host, _kept(server, host, _what(begun)), begun.sequence)
            for found in reversed(await _on(server, host, world)):
                if name in (found.id, found.path):
                    return _Found(server, host, found, world.ledger.size)
    raise UsageInvalid(f"there is nothing in quarantine as {name!r}", hint="`vitrify quarantine list` tells what there is")


def _begun(name: str, world: World) -> Entry | None:
    """What was intended about it and has no end."""
    known = [one for one in world.ledger.entries(max(0, world.ledger.size - _LOOKED_BACK)) if one.kind in _KINDS]
    newest = next((one for one in reversed(known) if name in (_what(one).get("id"), _what(one).get("path"))), None)
    return newest if newest is not None and newest.kind == INTENDED else None


def _what(entry: Entry) -> JSONObject:
    what = entry.body.get("what")
    return what if isinstance(what, dict) else {}
