"""`audit accept`: a difference becomes what the next audit compares with, because somebody says so, with a reason, in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.drift import Accepted
from vitrify.lifecycle import record
from vitrify.lifecycle.act import Act
from vitrify.lifecycle.lease import asked_for
from vitrify.lifecycle.mutable import scope
from vitrify.lifecycle.sealed import said
from vitrify.lifecycle.swept import texts
from vitrify.lifecycle.tenure import by_lease
from vitrify.lifecycle.world import World

INTENDED, DONE = "accept.intended", "accept.done"
_MOST_TOLD = 500
"""An entry of the ledger holds 64 KiB at most."""


@dataclass(frozen=True)
class Acceptance:
    """What is accepted (paths, or `package:NAME`), and why."""

    paths: tuple[str, ...]
    reason: str


async def accept_all(servers: Sequence[Server], wanted: Acceptance, world: World, *, host: str = "") -> tuple[Accepted, ...]:
    """On every host of the mutable ones, or on one, one after the other. UsageInvalid where there is none."""
    return tuple([await accept(server, place, wanted, world) for server, place in swept_places(servers, host)])


def swept_places(servers: Sequence[Server], host: str) -> list[tuple[Server, Host]]:
    """Where servers are swept: the hosts of the mutable ones, or the one of this name. UsageInvalid where there is none."""
    every = [(server, place) for server in servers if server.lifecycle is Lifecycle.MUTABLE for place in server.hosts]
    found = [(server, place) for server, place in every if host in ("", place.name)]
    if not found:
        known = ", ".join(dict.fromkeys(place.name for _, place in every))
        hint = f"hosts: {known}" if known else "an instance is never accepted, but replaced: `vitrify apply`"
        raise UsageInvalid(f"no mutable server has the host {host!r}" if host else "no mutable server is chosen", hint=hint)
    return found


async def accept(server: Server, host: Host, wanted: Acceptance, world: World) -> Accepted:
    """Move the baseline of a host on at these paths. Cut short, the same call finishes it under its own name."""
    named: list[JSON] = [*wanted.paths]
    newest = record.last(world.ledger, server=server.name, host=host.name, kinds=(INTENDED, DONE))
    open_one = newest if newest is not None and newest.kind == INTENDED and newest.body.get("paths") == named else None
    since = open_one.sequence if open_one else world.ledger.size
    operation = str(open_one.body["operation"]) if open_one else world.identify()
    body: JSONObject = {"operation": operation, "server": server.name, "host": host.name, "paths": named, "reason": wanted.reason}
    record.once(world.ledger, INTENDED, body, since=since)
    world.reached("accept-story.intent")
    arguments: JSONObject = {
        "scope": scope(server.name, host, world),
        "operation": operation,
        "by": world.author,
        "paths": named,
        "audited": list(server.audit.folders),
        "lease": asked_for("accept", world, operation=operation),
    }
    act = Act("accept", operation, arguments)
    async with world.session(host) as session:
        answer = await by_lease(act, host, session, world, fresh=open_one is None)
    world.reached("accept-story.act")
    accepted, recorded = texts(answer.get("accepted")), texts(answer.get("recorded"))
    told: list[JSON] = [*accepted[:_MOST_TOLD]]
    outcome: JSONObject = {**body, "accepted": told, "count": len(accepted), "recorded": list(recorded), **said(answer)}
    entry = record.once(world.ledger, DONE, {**outcome, "token": answer.get("token")}, since=since)
    world.reached("accept-story.outcome")
    return Accepted(server.name, host.name, accepted, recorded, wanted.reason, entry)
