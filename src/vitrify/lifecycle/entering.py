"""Somebody enters a running instance with leave: recorded before it happens, marked for as long as the instance lives, replaced after it.

| killed                     | what is left                          | the next apply |
|----------------------------|---------------------------------------|----------------|
| before the mark            | an intent in the ledger, nothing else | does nothing   |
| behind the mark, or inside | a marked instance                     | replaces it    |

On a host that is changed in place there is nothing to mark: what was run is recorded, and the audit finds what it changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import Denied, UsageInvalid, VitrifyError
from vitrify.core.digest import JSONObject, digest_of
from vitrify.core.entered import Entered
from vitrify.core.instance import Instance
from vitrify.core.report import Released
from vitrify.lifecycle import immutable
from vitrify.lifecycle.lodging import places
from vitrify.lifecycle.proposal import propose
from vitrify.lifecycle.world import World


@dataclass(frozen=True)
class Visit:
    """What somebody is about to do, and where: `argv` is run on `host`."""

    host: Host
    argv: tuple[str, ...]
    told: JSONObject
    """What both entries in the ledger say of it."""
    entry: int
    instance: str = ""


@dataclass(frozen=True)
class Wish:
    """What is to be run. `reason` is the one for breaking the glass, "" where there is none."""

    command: tuple[str, ...]
    reason: str = ""
    instance: str = ""
    terminal: bool = False


async def into_instance(server: Server, wish: Wish, world: World) -> Visit:
    """Record that somebody enters a live instance of an immutable server, mark it, and say how; `Denied` without a reason."""
    if not wish.reason:
        raise Denied(
            f"{server.name} is immutable: nobody enters its instances",
            why="what was changed inside would be lost with the instance, and nobody would know of it",
            hint='change the declaration and apply; where it burns, `--break-glass "REASON"` is recorded, and the instance replaced',
        )
    host, instance = await _chosen(server, wish.instance, world)
    async with world.site(host) as site:
        told = _told(server, host, wish, world, instance=instance.id, release=instance.labels.get("release", ""), reason=wish.reason)
        entry = world.ledger.append("exec.intended", told).sequence
        world.reached("exec.intent")
        await site.runtime.mark(instance.id, by=world.author, reason=wish.reason, entry=entry)
        argv = await site.runtime.entrance(instance.id, wish.command, terminal=wish.terminal)
    return Visit(host, argv, told, entry, instance.id)


async def _chosen(server: Server, name: str, world: World) -> tuple[Host, Instance]:
    """The instance of this name, or one that is live, and its host: the first of the declared ones that has it."""
    running: list[str] = []
    for host in places(server):
        live = str(world.state.slots(server.name, host.name).live)
        async with world.site(host) as site:
            for instance in await site.runtime.instances(world.labels(server.name)):
                if not instance.gone and (instance.id == name if name else instance.labels.get("release") == live):
                    return host, instance
                running += [instance.id] if not instance.gone else []
    told = f"{server.name} has no running instance {name!r}" if name else f"no live instance of {server.name} runs"
    raise UsageInvalid(told, hint=f"running: {', '.join(running) or 'there is none'}")


def onto_host(server: Server, host: Host, wish: Wish, world: World) -> Visit:
    """Record that somebody runs something on a host of a mutable server; how it is reached is the caller's to know."""
    if host.is_folder:
        raise UsageInvalid(f"{host.name} is a folder: nothing runs there", hint=f"look into {host.folder}")
    if wish.instance:
        raise UsageInvalid(f"{server.name} is mutable, and has no instances", hint="leave `--instance` out")
    told = _told(server, host, wish, world, **({"reason": wish.reason} if wish.reason else {}))
    return Visit(host, wish.command, told, world.ledger.append("exec.intended", told).sequence)


def _told(server: Server, host: Host, wish: Wish, world: World, **more: str) -> JSONObject:
    """Never the command itself, which may hold what nobody should keep: its digest proves which one it was."""
    return {"server": server.name, "host": host.name, "by": world.author, "command": digest_of(list(wish.command)), **more}


def carried_out(visit: Visit, world: World, *, run: Callable[[Sequence[str]], int]) -> Entered:
    """Run it, and record how it ended."""
    started = time.monotonic()
    code = run(visit.argv)
    world.reached("exec.act")
    seconds = time.monotonic() - started
    world.ledger.append("exec.done", {**visit.told, "intended": visit.entry, "exit": code, "ms": round(seconds * 1000)})
    world.reached("exec.outcome")
    return Entered(visit.host.name, code, instance=visit.instance, entry=visit.entry)


async def replaced(server: Server, visit: Visit, world: World) -> Released | None:
    """The release with new instances in place of those that were entered; None where that is left to the next apply."""
    async with world.site(visit.host) as site:
        due = await propose(server, visit.host, site, world)
    if due.kind != "replace" or visit.instance not in due.replace:
        return None  # more than this is due, and that is for somebody to look at first
    return await immutable.apply(server, visit.host, due, world)


async def leave(server: Server, visit: Visit, world: World) -> tuple[Released | None, str]:
    """The same; where it cannot be done now, why: the mark stays, so that it is done later."""
    try:
        return await replaced(server, visit, world), ""
    except VitrifyError as error:
        return None, error.diagnostics[0].summary
