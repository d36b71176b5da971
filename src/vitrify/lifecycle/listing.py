"""The releases of servers and what their instances wrote, from all hosts that can be asked. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.host_report import LogsTold, ReleasesTold
from vitrify.core.instance import Instance
from vitrify.core.report import ReleaseStatus
from vitrify.lifecycle.asking import asked, problems
from vitrify.lifecycle.lodging import HERE, lodgings
from vitrify.lifecycle.migration import NOTES
from vitrify.lifecycle.tiers import tier
from vitrify.lifecycle.world import World


async def releases(servers: Sequence[str], world: World) -> ReleasesTold:
    """Every release of these servers, newest first, with how many of its instances run and on which hosts it is live.

    A host that cannot be asked is a problem, not an error: what is remembered of it is told, and its instances are not counted.
    """
    names = lodgings(servers, world)

    async def look(host: Host) -> list[tuple[str, Instance]]:
        async with world.site(host) as site:
            return [(server, one) for server in names[host] for one in await site.runtime.instances(world.labels(server))]

    found, errors = await asked(names, look)
    own: dict[tuple[str, int], list[Instance]] = {}
    for server, instance in (one for there in found.values() for one in there):
        own.setdefault((server, int(instance.labels.get("release", "0"))), []).append(instance)
    return ReleasesTold(tuple(row for server in servers for row in _releases(server, own, world)), problems(errors, names))


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


async def logs(name: str, world: World, *, lines: int) -> LogsTold:
    """The last lines of the instance of this id, or of each running instance of the server of this name, host by host.

    Where no host knows the name, the error of one that could not be asked is raised: it may be there.
    """
    servers = world.state.servers()
    names = lodgings([name] if name in servers else servers, world) or {HERE: (name,)}

    async def look(host: Host) -> tuple[list[str], list[tuple[str, str]]]:
        async with world.site(host) as site:
            found = await site.runtime.instances({"project": world.project_id})
            wanted = [instance for instance in found if instance.id == name] or [
                instance for instance in found if instance.labels.get("server") == name and not instance.gone
            ]
            return [one.id for one in found], [(one.id, await site.runtime.logs(one.id, lines=lines)) for one in wanted]

    found, errors = await asked(names, look)
    parts = [part for _, there in found.values() for part in there]
    if not parts and errors:
        raise next(iter(errors.values()))
    if not parts:
        known = [one for ids, _ in found.values() for one in ids]
        hint = f"instances: {', '.join(known) or 'there is none'}"
        raise UsageInvalid(f"no server or instance is called {name!r}, or none of its instances runs", hint=hint)
    text = "".join(f"==> {identity} <==\n{text}" if len(parts) > 1 else text for identity, text in parts)
    return LogsTold(text, problems(errors, names) if name in servers else ())
