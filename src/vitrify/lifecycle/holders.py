"""Who has the lease of which server on which host, and taking one away from whoever will never give it back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import TargetFailed, UsageInvalid, VitrifyError
from vitrify.core.digest import JSONObject
from vitrify.core.report import LeaseView
from vitrify.lifecycle.lodging import places
from vitrify.lifecycle.mutable import scope
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.world import World
from vitrify.ports import Session

INTENDED, RELEASED = "lease.release.intended", "lease.released"


async def held(servers: Sequence[Server], world: World, *, parallel: int) -> tuple[LeaseView, ...]:
    """The last lease of every server on each of its hosts, and whether it stands; a host that cannot be asked is a row that says why."""
    places = [(server, host) for server in servers for host in hosts_of(server)]
    found = await side_by_side([partial(_one, server, host, world) for server, host in places], at_most=parallel)
    return tuple(
        LeaseView(server.name, host.name, problem=str(one)) if isinstance(one, VitrifyError) else one
        for (server, host), one in zip(places, found, strict=True)
    )


async def release(server: Server, world: World, *, reason: str) -> tuple[LeaseView, ...]:
    """Take away whatever lease of a server stands, and record who did and why; its holder can do nothing by it any more."""
    taken: list[LeaseView] = []
    for host in hosts_of(server):
        view = await _one(server, host, world)
        if not view.standing:
            continue
        operation = world.identify()
        body: JSONObject = {"operation": operation, "server": server.name, "host": host.name, "token": view.token, "reason": reason}
        world.ledger.append(INTENDED, {**body, "by": view.by})
        async with _asked(server, host, world) as (session, place):
            why = f"was taken away by {world.author}: {reason}"
            answer = await session.call("lease.release", {"lease": {**place, "token": 0}, "why": why})
        world.ledger.append(RELEASED, {**body, "taken": answer.get("released") is not None})
        taken.append(view)
    if not taken:
        raise UsageInvalid(f"nobody holds a lease of {server.name}", hint=f"`vitrify lease show {server.name}` tells who had the last one")
    return tuple(taken)


def hosts_of(server: Server) -> tuple[Host, ...]:
    """Where leases of a server are kept: on each host that is changed in place, or where its instances run."""
    return server.hosts if server.lifecycle is Lifecycle.MUTABLE else places(server)


async def _one(server: Server, host: Host, world: World) -> LeaseView:
    async with _asked(server, host, world) as (session, place):
        answer = await session.call("lease.show", {"lease": place})
    last = answer.get("last")
    if last is None:
        return LeaseView(server.name, host.name)
    if not isinstance(last, dict):
        raise TargetFailed("the host's answer holds no lease", hint="the payload and this program differ; run the command again")
    return _view(server.name, host.name, last, standing=answer.get("standing") is True)


def _view(server: str, host: str, lease: JSONObject, *, standing: bool) -> LeaseView:
    process = lease.get("process")
    pid = process.get("pid") if isinstance(process, dict) else None
    return LeaseView(
        server,
        host,
        standing=standing,
        token=int(str(lease["token"])),
        by=str(lease["by"]),
        reason=str(lease["reason"]),
        operation=str(lease["operation"]),
        process=pid if isinstance(pid, int) else None,
        since=float(str(lease["since"])),
        until=float(str(lease["until"])),
        released=str(lease["released"]),
    )


@asynccontextmanager
async def _asked(server: Server, host: Host, world: World) -> AsyncIterator[tuple[Session, JSONObject]]:
    """A session, and where on its host the lease is kept."""
    whose: JSONObject = {"project": world.project_id, "server": server.name}
    if server.lifecycle is Lifecycle.IMMUTABLE:
        async with world.site(host) as site:
            yield site.session, {**whose, "home": site.home}
        return
    known = scope(server.name, host, world)
    async with world.session(host) as session:
        yield session, {**whose, "home": known["memory"], "within": known["root"]}
