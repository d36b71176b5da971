"""What stands where: servers, releases, instances and their logs. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import UsageInvalid, VitrifyError
from vitrify.core.digest import JSON
from vitrify.core.instance import Instance
from vitrify.core.report import InstanceStatus, PlaceStatus, ReleaseStatus, ServerStatus
from vitrify.lifecycle import upkeep
from vitrify.lifecycle.lodging import HERE, abandoned, live, lodged, lodgings, places
from vitrify.lifecycle.migration import NOTES
from vitrify.lifecycle.mutable import scope
from vitrify.lifecycle.operation import SPOKEN
from vitrify.lifecycle.settings import RunSettings, from_json
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.tiers import tier
from vitrify.lifecycle.traffic import traffic_of
from vitrify.lifecycle.world import Site, World

_AT_ONCE = 10
"""Hosts of one server that are asked side by side."""


async def status(servers: Sequence[Server], world: World) -> tuple[ServerStatus, ...]:
    """One row for each server; a host that cannot be asked is a row with a problem, not an error."""
    rows: list[ServerStatus] = []
    for server in servers:
        try:
            rows.append(await (_mutable(server, world) if server.lifecycle is Lifecycle.MUTABLE else _immutable(server, world)))
        except VitrifyError as error:
            hosts = tuple(host.name for host in server.hosts)
            rows.append(ServerStatus(server.name, server.lifecycle.value, hosts, problem=error.diagnostics[0].summary))
    return tuple(rows)


async def _mutable(server: Server, world: World) -> ServerStatus:
    owned, unfinished = 0, ""
    newest: dict[str, JSON] = {}
    for host in server.hosts:
        async with world.session(host) as session:
            answer = await session.call("observe", {"scope": scope(server.name, host, world), "resources": []})
        owned += len(_list(answer.get("owned")))
        unfinished = unfinished or str(answer.get("unfinished", ""))
        runs = [run for run in _list(answer.get("runs")) if isinstance(run, dict) and run.get("state") != "undone"]
        newest = max([newest, *runs], key=lambda run: _number(run.get("at")))
    at = newest.get("at")
    bare = ServerStatus(
        server.name,
        server.lifecycle.value,
        tuple(host.name for host in server.hosts),
        owned=owned,
        last_run=str(newest.get("run", "")),
        last_by=str(newest.get("by", "")),
        last_at=float(at) if isinstance(at, (int, float)) else None,
        unfinished=unfinished,
    )
    return replace(_summed(bare, await _places(server, world)), unfinished=unfinished)


async def _places(server: Server, world: World) -> tuple[PlaceStatus, ...]:
    """How its instances stand, host by host; a host that cannot be asked is told as such."""
    mutable = server.lifecycle is Lifecycle.MUTABLE
    declared = () if mutable else places(server)
    left = lodged(server.name, world) if mutable else abandoned(server, world)
    hosts = (*declared, *left)
    found = await side_by_side([partial(_place, server.name, host, world) for host in hosts], at_most=_AT_ONCE)
    rows = []
    for host, row in zip(hosts, found, strict=True):
        known = _known(server.name, host, world) if isinstance(row, VitrifyError) else row
        why = row.diagnostics[0].summary if isinstance(row, VitrifyError) else ""
        rows.append(replace(known, declared=mutable or host in declared, problem=why))
    return tuple(rows)


def _known(server: str, host: Host, world: World) -> PlaceStatus:
    """What is remembered of a host, without asking it."""
    slots, operation = world.state.slots(server, host.name), world.state.open_operation(server, host.name)
    unfinished = f"{SPOKEN[operation.kind]} of release {operation.release}" if operation else ""
    return PlaceStatus(host.name, slots.live, slots.previous, unfinished=unfinished)


async def _place(server: str, host: Host, world: World) -> PlaceStatus:
    known, operation = _known(server, host, world), world.state.open_operation(server, host.name)
    live = world.state.release(server, known.live) if known.live else None
    settings = {release.number: from_json(release.settings) for release in world.state.releases(server)}
    slots: dict[int | None, str] = {**({operation.release: "next"} if operation else {}), known.previous: "previous", known.live: "live"}
    route = settings[live.number].route if live else None
    async with world.site(host) as site:
        found = await site.runtime.instances(world.labels(server))
        running = [instance for instance in found if not instance.gone]
        rows = [await _instance(instance, slots, settings, site=site, now=world.clock.now()) for instance in running]
        url = await site.router.address(route) if route else ""
        traffic = await traffic_of(operation, settings, route, site=site, server=server)
    return replace(known, url=url, instances=tuple(rows), rollout=traffic.rollout, paused=traffic.paused, preview=traffic.preview)


async def _immutable(server: Server, world: World) -> ServerStatus:
    found = await _places(server, world)
    released = live(server.name, world)
    bare = ServerStatus(server.name, server.lifecycle.value, tuple(host.name for host in server.hosts))
    summed = _summed(bare, found)
    return replace(summed, last_at=released.created_at if released else None, places=found if found[1:] else ())


def _summed(bare: ServerStatus, found: Sequence[PlaceStatus]) -> ServerStatus:
    """The same server with what was found on all its hosts."""
    newest = max((one for one in found if one.live), key=lambda one: one.live or 0, default=PlaceStatus(""))
    return replace(
        bare,
        live=newest.live,
        previous=newest.previous,
        url=newest.url,
        instances=tuple(instance for one in found for instance in one.instances),
        unfinished=next((one.unfinished for one in found if one.unfinished), bare.unfinished),
        rollout=next((one.rollout for one in found if one.rollout), None),
        paused=any(one.paused for one in found),
        preview=next((one.preview for one in found if one.preview), ""),
        problem="; ".join(one.problem for one in found if one.problem),
    )


async def _instance(
    instance: Instance, places: Mapping[int | None, str], settings: Mapping[int, RunSettings], *, site: Site, now: float
) -> InstanceStatus:
    """One row; an instance is asked for its health as its own release wants that to be asked."""
    release = int(instance.labels.get("release", "0"))
    check = settings[release].health if release in settings else None
    health = "" if check is None else await site.runtime.healthy(instance.id, check) or "ok"
    return InstanceStatus(
        id=instance.id,
        release=release,
        slot=places.get(release, ""),
        state="crashing" if upkeep.crashing(instance, now=now) else instance.state,
        address=f"127.0.0.1:{instance.port}" if instance.port else "",
        age_seconds=max(0.0, now - instance.started_at),
        restarts=instance.restarts,
        health=health,
        entered=instance.entered,
    )


async def releases(servers: Sequence[str], world: World) -> tuple[ReleaseStatus, ...]:
    """Every release of these servers, newest first, with how many of its instances run and on which hosts it is live."""
    own: dict[tuple[str, int], list[Instance]] = {}
    for host, names in lodgings(servers, world).items():
        async with world.site(host) as site:
            for server in names:
                for instance in await site.runtime.instances(world.labels(server)):
                    own.setdefault((server, int(instance.labels.get("release", "0"))), []).append(instance)
    return tuple(row for server in servers for row in _releases(server, own, world))


def _releases(server: str, own: Mapping[tuple[str, int], Sequence[Instance]], world: World) -> Iterator[ReleaseStatus]:
    slots = {host.name: world.state.slots(server, host.name) for host in world.state.hosts(server)}
    for release in world.state.releases(server):
        live_on = tuple(host for host, there in slots.items() if there.live == release.number)
        slot = "live" if live_on else "previous" if any(there.previous == release.number for there in slots.values()) else ""
        found = own.get((server, release.number), ())
        count = sum(not instance.gone for instance in found)
        away = "" if slot == "live" else tier(release, found, has_image=world.storage.has(release.image))
        state = "stopped" if release.state == "warm" and not count else release.state
        notes = tuple(note for note in NOTES if note in release.notes)
        yield ReleaseStatus(server, release.number, state, slot, release.image, release.created_at, count, live_on, notes, away)


async def logs(name: str, world: World, *, lines: int) -> str:
    """The last lines of the instance of this id, or of each running instance of the server of this name."""
    servers = world.state.servers()
    parts: list[tuple[str, str]] = []
    known: list[str] = []
    for host in lodgings([name] if name in servers else servers, world) or {HERE: ()}:
        async with world.site(host) as site:
            found = await site.runtime.instances({"project": world.project_id})
            known += [instance.id for instance in found]
            wanted = [instance for instance in found if instance.id == name] or [
                instance for instance in found if instance.labels.get("server") == name and not instance.gone
            ]
            parts += [(instance.id, await site.runtime.logs(instance.id, lines=lines)) for instance in wanted]
    if not parts:
        hint = f"instances: {', '.join(known) or 'there is none'}"
        raise UsageInvalid(f"no server or instance is called {name!r}, or none of its instances runs", hint=hint)
    return "".join(f"==> {identity} <==\n{text}" if len(parts) > 1 else text for identity, text in parts)


def _number(value: JSON) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []
