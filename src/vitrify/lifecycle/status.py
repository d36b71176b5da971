"""How servers stand: what was applied, which release is live, and every instance. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import TargetUnreachable, VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.instance import Instance
from vitrify.core.plan import HostProblem
from vitrify.core.report import InstanceStatus, PlaceStatus, ServerStatus
from vitrify.lifecycle import upkeep
from vitrify.lifecycle.asking import asked, problems
from vitrify.lifecycle.lodging import abandoned, live, lodged, places
from vitrify.lifecycle.mutable import scope
from vitrify.lifecycle.operation import SPOKEN
from vitrify.lifecycle.settings import RunSettings, from_json
from vitrify.lifecycle.traffic import lacking, traffic_of
from vitrify.lifecycle.world import Site, World


async def status(servers: Sequence[Server], world: World) -> tuple[ServerStatus, ...]:
    """One row for each server; a host that cannot be asked is a problem of its row, not an error."""
    rows: list[ServerStatus] = []
    for server in servers:
        try:
            rows.append(await (_mutable(server, world) if server.lifecycle is Lifecycle.MUTABLE else _immutable(server, world)))
        except VitrifyError as error:
            hosts = tuple(host.name for host in server.hosts)
            told = problems(dict.fromkeys(server.hosts, error), dict.fromkeys(server.hosts, (server.name,)))
            rows.append(ServerStatus(server.name, server.lifecycle.value, hosts, problem=error.diagnostics[0].summary, problems=told))
    return tuple(rows)


async def _mutable(server: Server, world: World) -> ServerStatus:
    answers, errors = await asked(server.hosts, partial(_observed, server, world))
    runs = [
        run for answer in answers.values() for run in _list(answer.get("runs")) if isinstance(run, dict) and run.get("state") != "undone"
    ]
    newest: dict[str, JSON] = max(runs, key=lambda run: _number(run.get("at")), default={})
    at = newest.get("at")
    bare = ServerStatus(
        server.name,
        server.lifecycle.value,
        tuple(host.name for host in server.hosts),
        owned=sum(len(_list(answer.get("owned"))) for answer in answers.values()),
        last_run=str(newest.get("run", "")),
        last_by=str(newest.get("by", "")),
        last_at=float(at) if isinstance(at, (int, float)) else None,
        problems=problems(errors, dict.fromkeys(server.hosts, (server.name,))),
    )
    unfinished = next(filter(None, (str(answer.get("unfinished", "")) for answer in answers.values())), "")
    return replace(_summed(bare, await _places(server, world)), unfinished=unfinished)


async def _observed(server: Server, world: World, host: Host) -> JSONObject:
    async with world.session(host) as session:
        return await session.call("observe", {"scope": scope(server.name, host, world), "resources": []})


async def _places(server: Server, world: World) -> tuple[PlaceStatus, ...]:
    """How its instances stand, host by host; a host that cannot be asked is told as such."""
    mutable = server.lifecycle is Lifecycle.MUTABLE
    declared = () if mutable else places(server)
    left = lodged(server.name, world) if mutable else abandoned(server, world)
    hosts = (*declared, *left)
    found, errors = await asked(hosts, partial(_place, server.name, world))
    for host, error in errors.items():
        why, away = error.diagnostics[0].summary, isinstance(error, TargetUnreachable)
        found[host] = replace(_known(server.name, host, world), problem=why, unreachable=away)
    return tuple(replace(found[host], declared=mutable or host in declared) for host in hosts)


def _known(server: str, host: Host, world: World) -> PlaceStatus:
    """What is remembered of a host, without asking it."""
    slots, operation = world.state.slots(server, host.name), world.state.open_operation(server, host.name)
    unfinished = f"{SPOKEN[operation.kind]} of release {operation.release}" if operation else ""
    return PlaceStatus(host.name, slots.live, slots.previous, unfinished=unfinished)


async def _place(server: str, world: World, host: Host) -> PlaceStatus:
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
    rollout = traffic.rollout
    if rollout and operation:
        rollout = replace(rollout, lacking=lacking(operation, settings[operation.release], found))
    return replace(known, url=url, instances=tuple(rows), rollout=rollout, paused=traffic.paused, preview=traffic.preview)


async def _immutable(server: Server, world: World) -> ServerStatus:
    found = await _places(server, world)
    released = live(server.name, world)
    bare = ServerStatus(server.name, server.lifecycle.value, tuple(host.name for host in server.hosts))
    summed = _summed(bare, found)
    return replace(summed, last_at=released.created_at if released else None, places=found if found[1:] else ())


def _summed(bare: ServerStatus, found: Sequence[PlaceStatus]) -> ServerStatus:
    """The same server with what was found on all its hosts."""
    there = [HostProblem(bare.name, one.host, one.problem, unreachable=one.unreachable) for one in found if one.problem]
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
        problem="; ".join(dict.fromkeys((*(one.why for one in bare.problems), *(one.problem for one in found if one.problem)))),
        problems=(*bare.problems, *(one for one in there if one.host not in {told.host for told in bare.problems})),
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


def _number(value: JSON) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []
