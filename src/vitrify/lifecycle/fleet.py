"""All hosts of all servers: looked at side by side, then changed server by server and batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import Busy, TargetUnreachable, VitrifyError
from vitrify.core.plan import HostPlan, HostProblem, ReleasePlan
from vitrify.core.report import Applied, Converged, Which
from vitrify.lifecycle import mutable, trial, undoing
from vitrify.lifecycle.hooked import there
from vitrify.lifecycle.lodging import lodged, places, serving
from vitrify.lifecycle.settings import SecretValue
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.tenure import keeping
from vitrify.lifecycle.world import World


async def plan(
    servers: Sequence[Server], world: World, *, parallel: int
) -> tuple[tuple[HostPlan | ReleasePlan, ...], tuple[HostProblem, ...]]:
    """What an apply would do on each host, and the hosts that could not tell. Where none could, the first one's error is raised."""
    places = [(server, host) for server in servers for host in _hosts(server)]
    found = await side_by_side([partial(_plan_one, server, host, world) for server, host in places], at_most=parallel)
    planned = [one for one in found if not isinstance(one, VitrifyError)]
    problems = [
        problem(server.name, host.name, one) for (server, host), one in zip(places, found, strict=True) if isinstance(one, VitrifyError)
    ]
    first = next((one for one in found if isinstance(one, VitrifyError)), None)
    if first is not None and not planned:
        raise first
    return tuple(planned), tuple(problems)


def _hosts(server: Server) -> tuple[Host, ...]:
    return places(server) if server.lifecycle is Lifecycle.IMMUTABLE else server.hosts


async def _plan_one(server: Server, host: Host, world: World) -> HostPlan | ReleasePlan:
    if server.lifecycle is Lifecycle.IMMUTABLE:
        from vitrify.lifecycle import immutable  # its story costs more to read than a look at a host

        return await immutable.plan(server, host, world)
    return await mutable.plan(server, host, world)


def problem(server: str, host: str, error: VitrifyError) -> HostProblem:
    """A host's error as a value."""
    return HostProblem(server, host, str(error), unreachable=isinstance(error, TargetUnreachable), busy=isinstance(error, Busy))


async def apply(
    planned: Sequence[HostPlan | ReleasePlan],
    servers: Mapping[str, Server],
    world: World,
    *,
    parallel: int,
    unseen: Sequence[HostProblem] = (),
) -> Applied:
    """Carry out these plans in order. What is left when a server fails stays as it is: what comes after may need it.

    `unseen` hosts could not be looked at: they are left alone, and a release on many hosts counts them among those that failed.
    """
    applied = Applied()
    for name, group in groupby(planned, key=lambda one: one.server):
        plans = list(group)
        if applied.stopped:
            held = tuple((one.server, one.host) for one in plans)
            applied = replace(applied, held=(*applied.held, *held))
            continue
        releases = [one for one in plans if isinstance(one, ReleasePlan)]
        missing = sum(one.server == name for one in unseen)
        applied = applied.joined(await _release(servers[name], releases, world, parallel=parallel, missing=missing))
        hosts = [one for one in plans if isinstance(one, HostPlan)]
        if hosts:
            applied = applied.joined(await _converge(servers[name], hosts, world, parallel=parallel))
    return applied


async def _release(server: Server, planned: Sequence[ReleasePlan], world: World, *, parallel: int, missing: int) -> Applied:
    if not planned:
        return Applied()
    if len({*places(server), *lodged(server.name, world)}) > 1:
        from vitrify.lifecycle import many_hosts

        return await many_hosts.apply(server, planned, world, parallel=parallel, missing=missing)
    from vitrify.lifecycle import immutable

    due = [one for one in planned if not one.empty]
    return Applied(releases=tuple([await immutable.apply(server, server.host(one.host), one, world) for one in due]))


async def rollback(server: str, world: World, *, to: int, secret: SecretValue, parallel: int) -> Applied:
    """Make a former release of an immutable server live again, on all its hosts or on none."""
    from vitrify.lifecycle import immutable, many_hosts

    if len(serving(server, world)) > 1:
        target = immutable.rollback_target(server, world, to=to)
        return await many_hosts.rollback(target, world, secret=secret, parallel=parallel)
    return Applied(releases=(await immutable.rollback(server, world, to=to, secret=secret),))


async def _converge(server: Server, plans: Sequence[HostPlan], world: World, *, parallel: int) -> Applied:
    """One mutable server, batch by batch; stops where a batch is ill, or more hosts failed than may."""
    one_only = len(plans) == 1
    taken_back = await trial.finish(server, world, parallel=parallel)
    if taken_back:
        return _summed(server, taken_back, one_only=one_only)
    waiting = trial.waiting(server, world)
    due = [planned for planned in plans if planned.host in waiting or _due(server, planned, world)]
    applied, failed = Applied(), 0
    batches = server.pace.batches(due)
    for number, batch in enumerate(batches):
        on_trial = server.health is not None and any(not planned.empty or planned.host in waiting for planned in batch)
        ended = await (trial.tried if on_trial else _batch)(server, batch, world, parallel=parallel)
        applied = applied.joined(_summed(server, ended, one_only=one_only))
        failed += sum(_bad(one) for one in ended.values())
        ill = any(isinstance(one, Converged) and one.undone for one in ended.values())
        if ill or server.pace.enough(failed, of=len(due)):
            held = tuple((server.name, planned.host) for rest in batches[number + 1 :] for planned in rest)
            return replace(applied, held=held, stopped=True)
    return applied


def _due(server: Server, planned: HostPlan, world: World) -> bool:
    return not planned.empty or planned.bookkeeping or mutable.unrecorded(server, server.host(planned.host), world)


async def _batch(server: Server, batch: Sequence[HostPlan], world: World, *, parallel: int) -> trial.Ended:
    jobs = [partial(mutable.apply, server, server.host(one.host), one, world.naming(server, one.host)) for one in batch]
    ended = await side_by_side(jobs, at_most=parallel)
    return {planned.host: one for planned, one in zip(batch, ended, strict=True)}


def _bad(one: Converged | VitrifyError) -> bool:
    return isinstance(one, VitrifyError) or bool(one.failed) or one.undone


def _summed(server: Server, ended: trial.Ended, *, one_only: bool) -> Applied:
    """The end of these hosts. The error of an only host is raised as it is: there is nobody else to tell of."""
    errors = {name: one for name, one in ended.items() if isinstance(one, VitrifyError)}
    if one_only and errors:
        raise next(iter(errors.values()))
    hosts = tuple(one for one in ended.values() if isinstance(one, Converged))
    return Applied(hosts=hosts, problems=tuple(problem(server.name, name, error) for name, error in errors.items()))


async def undo(server: Server, world: World, *, which: Which, force: bool, parallel: int) -> Applied:
    """Take back the last run, the named one, or every run back to it, on each host of this server."""
    jobs = [partial(_undo_one, server, host, world, which=which, force=force) for host in server.hosts]
    ended = await side_by_side(jobs, at_most=parallel)
    return _summed(server, dict(zip((host.name for host in server.hosts), ended, strict=True)), one_only=len(server.hosts) == 1)


async def _undo_one(server: Server, host: Host, world: World, *, which: Which, force: bool) -> Converged:
    if not (which.back or there(server.hooks)):
        return await undoing.undo(server, host, world.naming(server, host.name), run=which.run, force=force)
    async with keeping({host.name: mutable.scope(server.name, host, world)}, server, world, reason="undo") as worlds:
        if not which.back:
            return await undoing.undo(server, host, worlds[host.name], run=which.run, force=force)
        ended: Converged | None = None
        for run in await undoing.runs_down_to(server.name, host, world, run=which.run):
            newest = await undoing.undo(server, host, worlds[host.name], run=run, force=force)
            ended = newest if ended is None else ended.followed(newest)
            if newest.failed:
                break
        return ended or Converged(server.name, host.name, which.run, ())
