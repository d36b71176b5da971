"""An immutable server on several hosts: an apply and a rollback of all of them, with the lease of each in hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, replace
from functools import partial

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import PlanStale, VitrifyError
from vitrify.core.phase import Standing
from vitrify.core.plan import WAITING, ReleasePlan
from vitrify.core.report import Applied
from vitrify.lifecycle import waves
from vitrify.lifecycle.baking import wanted_of
from vitrify.lifecycle.fleet import problem
from vitrify.lifecycle.immutable import (
    begun,
    cleared,
    contracted,
    go_on,
    is_live,
    opened,
    refuse_stale,
    reopened,
    unchanged,
    unnumbered,
    way_back,
)
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.lodging import serving
from vitrify.lifecycle.operation import Rollout
from vitrify.lifecycle.proposal import propose
from vitrify.lifecycle.settings import SecretValue, known_secrets
from vitrify.lifecycle.verdict import PASSED, unended, verdict
from vitrify.lifecycle.waves import Begin, Move
from vitrify.lifecycle.world import Site, World
from vitrify.ports import Operation, Release


async def apply(server: Server, planned: Sequence[ReleasePlan], world: World, *, parallel: int, missing: int = 0) -> Applied:
    """Do what was planned on all of these hosts, or refuse; on all or on none, but for as many as `max_fail` allows.

    `missing` hosts could not even be looked at. `PreviousStillServing` once every host is back at what it had.
    """
    secret, aim = known_secrets(server.secrets), wanted_of(server, world).declared
    move = Move(server.name, aim, world, secret, server.pace, parallel, missing)
    plans = _to_do(planned)
    if not plans and (unended(server.name, world) is None or any(one.kind == WAITING for one in planned)):
        return Applied()
    async with AsyncExitStack() as stack:
        sites, applied = await held(stack, move, [server.host(name) for name in plans], reason="apply")
        move = replace(move, missing=missing + len(applied.problems))
        if applied.stopped or move.enough(0, of=len(sites)):
            return left_alone(server.name, sites, applied)
        due = await _proposed(server, sites, move)
        for host, now in due.items():
            refuse_stale(plans[host], now)
        for host, plan in plans.items():
            await contracted(server, plan, sites[host], world)
        if unended(server.name, world):
            applied = applied.joined(await waves.finish(move, sites))
            lost = {one.host for one in applied.problems}
            sites = {host: site for host, site in sites.items() if host not in lost}
            move = replace(move, missing=missing + len(lost))
            if applied.stopped or move.enough(0, of=len(sites)):
                return left_alone(server.name, sites, applied)
            due = await _proposed(server, sites, move)
        due = await _settled(server, due, sites, move)
        return applied.joined(await _carried_out(server, due, sites, move))


def _to_do(planned: Sequence[ReleasePlan]) -> dict[str, ReleasePlan]:
    """Host -> what is planned there. Whoever waits is part of it as soon as any other host has something to do: all are judged together."""
    due = {one.host: one for one in planned if not one.empty}
    also = {one.host: one for one in planned if one.kind == WAITING} if due else {}
    return {**also, **due}


def left_alone(server: str, hosts: Iterable[str], applied: Applied) -> Applied:
    """Nothing is done on any of these hosts, because of what is wrong with others."""
    return replace(applied, held=tuple((server, host) for host in hosts), stopped=True)


async def held(stack: AsyncExitStack, move: Move, hosts: Sequence[Host], *, reason: str) -> tuple[dict[str, Site], Applied]:
    """The sites of these hosts, each with its lease, and those that could not be had as problems. The error of an only host is raised."""
    sites: dict[str, Site] = {}
    problems = []
    for host in hosts:
        try:
            sites[host.name] = await stack.enter_async_context(holding(move.server, host, move.world, reason=reason))
        except VitrifyError as error:
            if not hosts[1:]:
                raise
            problems.append(problem(move.server, host.name, error))
    return sites, Applied(problems=tuple(problems), stopped=bool(hosts) and not sites)


async def _proposed(server: Server, sites: Mapping[str, Site], move: Move) -> dict[str, ReleasePlan]:
    """What is due on each host, now that nobody else can change it."""
    found, errors = await move.on_each({host: partial(propose, server, site.host, site, move.world) for host, site in sites.items()})
    _refuse_any(errors)
    return found


async def _settled(server: Server, found: Mapping[str, ReleasePlan], sites: Mapping[str, Site], move: Move) -> dict[str, ReleasePlan]:
    """The same, once nothing is under way on any of them but what is to be resumed."""
    world = move.world
    under_way = {host: one for host in sites if (one := world.state.open_operation(server.name, host))}
    ending = {
        host: partial(_ended, one, found[host], sites[host], move) for host, one in under_way.items() if _ends(one, found[host], world)
    }
    _, errors = await move.on_each(ending)
    _refuse_any(errors)
    again = await _proposed(server, {host: sites[host] for host in ending}, move)
    return {**found, **again}


def _ends(operation: Operation, due: ReleasePlan, world: World) -> bool:
    """Whether what is under way comes to its end by itself first: it is not wanted, or there is no way back from it any more."""
    return due.kind not in ("resume", WAITING) or Standing.of(operation.step).settled or verdict(operation, world) == PASSED


async def _ended(operation: Operation, due: ReleasePlan, site: Site, move: Move) -> None:
    if due.kind in ("resume", WAITING):
        await waves.to_its_end(reopened(operation, site, move.world, secret=move.secret))
    else:
        await cleared(operation, site, move.world, secret=move.secret)


def _refuse_any(errors: Mapping[str, VitrifyError]) -> None:
    """The first of these errors: what cannot be looked at or ended on one host keeps the move from beginning on any."""
    for error in errors.values():
        raise error


async def _carried_out(server: Server, due: Mapping[str, ReleasePlan], sites: Mapping[str, Site], move: Move) -> Applied:
    with ExitStack() as using:
        shared = await _shared(server, due, sites, move, using)
        stops: dict[str, Begin] = {}
        for host, plan in due.items():
            site, world = sites[host], move.world.naming(server, host)
            if plan.kind in ("resume", WAITING):
                stops[host] = partial(again, site, world, move)
            elif plan.kind == "release" and shared and not is_live(shared.release, site, world):
                stops[host] = partial(shared.begin, site, world)
            elif plan.kind in ("join", "replace"):
                stops[host] = partial(_begun, server, plan, site, world)
        same = [await unchanged(server, sites[host], move.world) for host in due if host not in stops]
        done = Applied(releases=tuple(same))
        if len(stops) == 1 and unended(server.name, move.world) is None:
            (begin,) = stops.values()
            return done.joined(Applied(releases=(await go_on(await begin("")),)))
        return done.joined(await waves.carry_out(move, stops)) if stops else done


async def again(site: Site, world: World, move: Move, wave: str) -> Rollout:
    """What is under way there goes on as part of this rollout."""
    operation = world.state.open_operation(move.server, site.host.name)
    if operation is None:
        raise PlanStale(f"what was under way on {site.host.name} has ended meanwhile", hint="plan again")
    return reopened(operation, site, world, secret=move.secret, wave=wave)


async def _begun(server: Server, plan: ReleasePlan, site: Site, world: World, wave: str) -> Rollout:
    return await begun(server, plan, site, world, wave=wave)


async def _shared(
    server: Server, due: Mapping[str, ReleasePlan], sites: Mapping[str, Site], move: Move, using: ExitStack
) -> _Shared | None:
    """The new release, baked once for all hosts; None where none is due. Until it is begun nothing but `using` keeps its image."""
    hosts = [host for host, plan in due.items() if plan.kind == "release"]
    if not hosts:
        return None
    using.enter_context(move.world.storage.using())
    release = await unnumbered(wanted_of(server, move.world), sites[hosts[0]], move.world)
    return _Shared(release, move.secret, using, asyncio.Lock())


@dataclass
class _Shared:
    """A release that several hosts begin: the first of them gives it its number."""

    release: Release
    secret: SecretValue
    using: ExitStack
    turn: asyncio.Lock

    async def begin(self, site: Site, world: World, wave: str) -> Rollout:
        """Begun on this host, one host after the other."""
        async with self.turn:
            rollout = await opened(self.release, "release", site, world, secret=self.secret, wave=wave)
            self.release = replace(rollout.release, state="prepared")
            self.using.close()
            return rollout


async def rollback(release: Release, world: World, *, secret: SecretValue, parallel: int) -> Applied:
    """Make a former release live again on every host of its server, or on none; who cannot be reached is told, and holds nobody up."""
    hosts = serving(release.server, world)
    move = Move(release.server, f"rollback to release {release.number}", world, secret, parallel=parallel)
    async with AsyncExitStack() as stack:
        sites, applied = await held(stack, move, hosts, reason="rollback")
        if applied.stopped:
            return applied
        applied = applied.joined(await waves.finish(move, sites))
        if applied.stopped:
            return applied
        unfinished = {host: one for host in sites if (one := world.state.open_operation(release.server, host))}
        ending = {host: one for host, one in unfinished.items() if (one.kind, one.release) != ("rollback", release.number)}
        _, errors = await move.on_each({host: partial(cleared, one, sites[host], world, secret=secret) for host, one in ending.items()})
        _refuse_any(errors)
        stops = _stops(release, sites, move)
        return applied.joined(await waves.carry_out(move, stops)) if stops else applied


def _stops(release: Release, sites: Mapping[str, Site], move: Move) -> dict[str, Begin]:
    stops: dict[str, Begin] = {}
    for host, site in sites.items():
        world = move.world.named(release.server, host)
        if world.state.open_operation(release.server, host):
            stops[host] = partial(again, site, world, move)
        elif world.state.slots(release.server, host).live != release.number:
            known = world.state.release(release.server, release.number, host=host) or replace(release, state="prepared")
            stops[host] = partial(_way_back, known, site, world, move)
    return stops


async def _way_back(release: Release, site: Site, world: World, move: Move, wave: str) -> Rollout:
    return await way_back(release, site, world, secret=move.secret, wave=wave)
