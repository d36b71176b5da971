"""What stands where: servers, releases, instances and their logs. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import UsageInvalid, VitrifyError
from vitrify.core.digest import JSON
from vitrify.core.instance import Instance
from vitrify.core.report import InstanceStatus, ReleaseStatus, ServerStatus
from vitrify.lifecycle import left_over, upkeep
from vitrify.lifecycle.lodging import HERE, lodging, lodgings
from vitrify.lifecycle.migration import NOTES
from vitrify.lifecycle.mutable import scope
from vitrify.lifecycle.operation import SPOKEN
from vitrify.lifecycle.settings import RunSettings, from_json
from vitrify.lifecycle.world import Site, World


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
    standing = await _instances(server, world) if left_over.may_run(server.name, world) else _Instances()
    return ServerStatus(
        server.name,
        server.lifecycle.value,
        tuple(host.name for host in server.hosts),
        owned=owned,
        last_run=str(newest.get("run", "")),
        last_by=str(newest.get("by", "")),
        last_at=float(at) if isinstance(at, (int, float)) else None,
        unfinished=unfinished,
        live=standing.live,
        previous=standing.previous,
        url=standing.url,
        instances=standing.rows,
    )


@dataclass(frozen=True)
class _Instances:
    """What runs of a server's releases: of an immutable one, or of one that was flipped."""

    live: int | None = None
    previous: int | None = None
    url: str = ""
    rows: tuple[InstanceStatus, ...] = ()
    made_at: float | None = None
    unfinished: str = ""


async def _instances(server: Server, world: World) -> _Instances:
    host = lodging(server.name, world)
    slots, operation = world.state.slots(server.name, host.name), world.state.open_operation(server.name, host.name)
    live = world.state.release(server.name, slots.live) if slots.live else None
    settings = {release.number: from_json(release.settings) for release in world.state.releases(server.name)}
    places: dict[int | None, str] = {**({operation.release: "next"} if operation else {}), slots.previous: "previous", slots.live: "live"}
    route = settings[live.number].route if live else None
    async with world.site(host) as site:
        found = await site.runtime.instances(world.labels(server.name))
        running = [instance for instance in found if not instance.gone]
        rows = [await _instance(instance, places, settings, site=site, now=world.clock.now()) for instance in running]
        url = await site.router.address(route) if route else ""
    return _Instances(
        live=slots.live,
        previous=slots.previous,
        url=url,
        rows=tuple(rows),
        made_at=live.created_at if live else None,
        unfinished=f"{SPOKEN[operation.kind]} of release {operation.release}" if operation else "",
    )


async def _immutable(server: Server, world: World) -> ServerStatus:
    found = await _instances(server, world)
    return ServerStatus(
        server.name,
        server.lifecycle.value,
        tuple(host.name for host in server.hosts),
        last_at=found.made_at,
        unfinished=found.unfinished,
        live=found.live,
        previous=found.previous,
        url=found.url,
        instances=found.rows,
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
    """Every release of these servers, newest first, with how many of its instances run."""
    rows = [await _releases(host, names, world) for host, names in lodgings(servers, world).items()]
    return tuple(row for server in servers for found in rows for row in found if row.server == server)


async def _releases(host: Host, servers: Sequence[str], world: World) -> list[ReleaseStatus]:
    rows: list[ReleaseStatus] = []
    async with world.site(host) as site:
        for server in servers:
            slots = world.state.slots(server, host.name)
            found = await site.runtime.instances(world.labels(server))
            running = [instance.labels.get("release") for instance in found if not instance.gone]
            for release in world.state.releases(server):
                slot = "live" if release.number == slots.live else "previous" if release.number == slots.previous else ""
                count = running.count(str(release.number))
                state = "stopped" if release.state == "warm" and not count else release.state
                notes = tuple(note for note in NOTES if note in release.notes)
                rows.append(ReleaseStatus(server, release.number, state, slot, release.image, release.created_at, count, notes))
    return rows


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
