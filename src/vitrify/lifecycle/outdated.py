"""Which packages are behind: asked of the hosts themselves, from the lists that they have. Changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSON
from vitrify.core.report import Behind, Outdated
from vitrify.lifecycle import record
from vitrify.lifecycle.baking import wanted_of
from vitrify.lifecycle.lodging import places
from vitrify.lifecycle.mutable import scope
from vitrify.lifecycle.pins import LOCAL, LOCK_MOVED
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.world import World
from vitrify.ports import Release


async def outdated(servers: Sequence[Server], world: World, *, parallel: int) -> tuple[Outdated, ...]:
    """One row for each host of a mutable server, and of an immutable one; a host that cannot be asked is a row with a problem."""
    asked = [(server, host) for server in servers for host in (server.hosts if server.lifecycle is Lifecycle.MUTABLE else places(server))]
    found = await side_by_side([partial(_ask, server, host, world) for server, host in asked], at_most=parallel)
    rows: list[Outdated] = []
    for (server, host), answer in zip(asked, found, strict=True):
        if isinstance(answer, VitrifyError):
            rows.append(Outdated(server.name, host.name, server.lifecycle.value, problem=answer.diagnostics[0].summary))
        else:
            rows.append(answer)
    return tuple(rows)


async def _ask(server: Server, host: Host, world: World) -> Outdated:
    if server.lifecycle is Lifecycle.IMMUTABLE:
        return await _image(server, host, world)
    async with world.session(host) as session:
        answer = await session.call("outdated", {"scope": scope(server.name, host, world)})
    packages = answer.get("packages")
    return Outdated(
        server.name,
        host.name,
        server.lifecycle.value,
        manager=str(answer.get("manager", "")),
        packages=tuple(_behind(one) for one in packages if isinstance(one, dict)) if isinstance(packages, list) else (),
        lists_at=_number(answer.get("lists_at")),
        patched_at=_number(answer.get("patched_at")),
    )


async def _image(server: Server, host: Host, world: World) -> Outdated:
    """How old the live image is, and what of that which was pinned for it can be had in another version by now."""
    slots = world.state.slots(server.name, host.name)
    live = world.state.release(server.name, slots.live) if slots.live else None
    row = Outdated(server.name, host.name, server.lifecycle.value, made_at=live.created_at if live else None)
    installed = _pinned(live)
    if not installed:
        return row
    chosen = record.last(world.ledger, server=server.name, kinds=(LOCK_MOVED,))
    async with world.site(LOCAL) as site:
        offered = await site.builder.offers(wanted_of(server, world).request, sorted(installed))
    behind = [
        Behind(one.name, installed[one.name], one.version, origins=(), security=one.security, held=False, published_at=None)
        for one in offered
        if one.version != installed[one.name]
    ]
    chosen_at = dt.datetime.fromisoformat(chosen.at).timestamp() if chosen else None
    return replace(row, manager="apt", packages=tuple(behind), lists_at=world.clock.now(), patched_at=chosen_at)


def _pinned(live: Release | None) -> dict[str, str]:
    """Name -> version of every package in the live image that the lock pinned; what a server installs hides what its base has."""
    pinned = live.settings.get("pinned") if live else None
    parts = [pinned.get(name) for name in ("base", "own")] if isinstance(pinned, dict) else []
    return {name: str(version) for part in parts if isinstance(part, dict) for name, version in part.items() if " " not in name}


def _behind(data: dict[str, JSON]) -> Behind:
    origins = data.get("origins")
    return Behind(
        name=str(data["name"]),
        installed=str(data["installed"]),
        candidate=str(data["candidate"]),
        origins=tuple(str(origin) for origin in origins) if isinstance(origins, list) else (),
        security=data.get("security") is True,
        held=data.get("held") is True,
        published_at=_number(data.get("published_at")),
    )


def _number(value: JSON) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
