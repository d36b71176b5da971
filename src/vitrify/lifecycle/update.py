"""The story of `update`: choose anew what bases are made of and what servers install, and pin that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.event import Stage
from vitrify.core.image_report import Moved, Updated
from vitrify.core.locked import Inputs, Lock
from vitrify.lifecycle import pins
from vitrify.lifecycle.baking import Wanted, wanted_of
from vitrify.lifecycle.pins import Pinned
from vitrify.lifecycle.world import Site, World
from vitrify.ports import Chosen


async def update(servers: Sequence[Server], everyone: Sequence[Server], host: Host, world: World, *, dry_run: bool) -> Updated:
    """Choose for these servers, and for every other one that stands on a base of theirs; written once all of it is known.

    Where all are meant, what is pinned for nobody any more goes.
    """
    chosen = _with_neighbours(servers, everyone, world)
    before = world.pins.read()
    lock = _without_leavers(before, everyone) if len(servers) == len(everyone) else before
    secure: set[tuple[str, str]] = set()
    async with world.site(host) as site:
        with world.storage.using():
            for server in _one_for_each_base(chosen):
                lock = _noted(await _base(server, site, world), server, lock, secure, world)
            for server in chosen:
                lock = await _own(server, lock, secure, site, world)
    moves = _moves(before, lock, secure)
    if lock != before and not dry_run:
        world.pins.write(lock)
        for server in chosen:
            own = [move for move in moves if move.subject in (server.name, str(server.base))]
            world.ledger.append(pins.LOCK_MOVED, {"server": server.name, "moved": len(own)})
    return Updated(moves, servers=tuple(server.name for server in chosen), written=lock != before and not dry_run)


def _without_leavers(lock: Lock, everyone: Sequence[Server]) -> Lock:
    """Nothing of servers and bases that are not declared any more."""
    names, bases = {server.name for server in everyone}, {str(server.base) for server in everyone}
    return replace(
        lock,
        bases={key: inputs for key, inputs in lock.bases.items() if key[0] in bases},
        servers={key: inputs for key, inputs in lock.servers.items() if key[0] in names},
    )


def _with_neighbours(servers: Sequence[Server], everyone: Sequence[Server], world: World) -> list[Server]:
    """What stands on the same base was chosen upon it, and must be chosen again."""
    bases = {str(server.base) for server in servers if _is_made(server)}
    named = {server.name for server in servers}
    return [server for server in everyone if _pins(server, world) and (server.name in named or str(server.base) in bases)]


def _pins(server: Server, world: World) -> bool:
    pinned = Pinned.of(server, world.pins, world.kinds)
    return server.lifecycle is Lifecycle.IMMUTABLE and (pinned.base_needed or pinned.own_needed or pinned.digest_needed)


def _is_made(server: Server) -> bool:
    return (server.base is not None and server.base.kind == pins.MADE) or pins.is_tagged(server)


def _one_for_each_base(servers: Iterable[Server]) -> Iterable[Server]:
    return {str(server.base): server for server in servers if _is_made(server)}.values()


async def _base(server: Server, site: Site, world: World) -> Chosen | None:
    world.say("choose.base", str(server.base), "asking what it would be made of now", stage=Stage.PROGRESS)
    return await site.builder.choose_base(wanted_of(server, world).request, emit=world.emit)


def _noted(chosen: Chosen | None, server: Server, lock: Lock, secure: set[tuple[str, str]], world: World) -> Lock:
    if chosen is None or server.base is None:
        return lock
    if chosen.digest:
        return lock.reference(server.base.reference, chosen.digest)
    secure |= chosen.security
    return lock.base(str(server.base), world.pins.architecture, chosen.inputs)


async def _own(server: Server, lock: Lock, secure: set[tuple[str, str]], site: Site, world: World) -> Lock:
    wanted = wanted_of(server, world)
    if not wanted.pinned.own_needed:
        return lock.server(server.name, world.pins.architecture, None)
    base = lock.bases.get((str(server.base), world.pins.architecture))
    known = lock.servers.get((server.name, world.pins.architecture))
    world.say("choose", server.name, "asking what it would install now", stage=Stage.PROGRESS)
    asked = replace(wanted.request, base=pins.standing_on(server, lock), inputs=known, base_inputs=base)
    chosen = await site.builder.choose(asked, emit=world.emit)
    secure |= chosen.security
    return pins.with_inputs(lock, server, chosen.inputs, world.pins)


def _moves(before: Lock, after: Lock, secure: set[tuple[str, str]]) -> tuple[Moved, ...]:
    """Every pinned thing that differs, bases first."""
    names = sorted({*before.references, *after.references})
    tags = [(name, before.references.get(name, ""), after.references.get(name, "")) for name in names]
    found = [Moved(f"{pins.IMAGE}:{name}", "digest", was, now, security=False) for name, was, now in tags if was != now]
    for old, new in ((before.bases, after.bases), (before.servers, after.servers)):
        for key in sorted({*old, *new}):
            rows = pins.moved(pins.versions(old.get(key, Inputs())), pins.versions(new.get(key, Inputs())))
            found += [Moved(key[0], name, was, now, security=(name, now) in secure) for name, was, now in rows]
    return tuple(found)


async def settle(wanted: Wanted, site: Site, world: World) -> Wanted:
    """The same with everything pinned: what the lock does not say yet is chosen now and written there. Nothing that it says moves."""
    if not wanted.pinned.lacking:
        return wanted
    server, lock = wanted.server, world.pins.read()
    before = lock
    told = f"vitrify.lock says nothing for {server.name} yet: what is installed is chosen now, and written there"
    world.say("choose", server.name, told)
    secure: set[tuple[str, str]] = set()
    if wanted.pinned.lacks_base:
        lock = _noted(await _base(server, site, world), server, lock, secure, world)
    if wanted.pinned.own is None:
        lock = await _own(server, lock, secure, site, world)
    world.pins.write(lock)
    world.ledger.append(pins.LOCK_MOVED, {"server": server.name, "moved": len(_moves(before, lock, secure))})
    return wanted_of(server, world)
