"""Taking a host under management without touching it, and letting go of one: what stays there, what goes, what is forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import Location, UsageInvalid
from vitrify.core.plan import HostPlan, HostProblem, ReleasePlan
from vitrify.core.report import Applied
from vitrify.lifecycle import fleet, hooks, mutable, record
from vitrify.lifecycle.retire import RETIRE
from vitrify.lifecycle.settings import known_secrets
from vitrify.lifecycle.world import World

FORGOTTEN = "host.forgotten"


def without_wishes(server: str, hosts: Sequence[Host], *, declared: Iterable[Server] = ()) -> Server:
    """A server that wishes for nothing: applied, everything that vitrify created for it goes. Of what is declared, hooks of that stay."""
    bare = Server(server, Lifecycle.MUTABLE, tuple(hosts), (), Location("", 0, 0))
    for one in declared:
        if one.name == server:
            return replace(bare, hooks=tuple(hook for hook in one.hooks if hook.phase == RETIRE), secrets=one.secrets)
    return bare


async def plan_to_leave(server: Server, world: World, *, parallel: int) -> tuple[tuple[HostPlan, ...], tuple[HostProblem, ...]]:
    """What retiring would take away on each of its hosts."""
    planned, problems = await fleet.plan([server], world, parallel=parallel)
    return _in_place(planned), problems


def _in_place(planned: Sequence[HostPlan | ReleasePlan]) -> tuple[HostPlan, ...]:
    return tuple(one for one in planned if isinstance(one, HostPlan))


async def leave(server: Server, planned: Sequence[HostPlan], world: World, *, parallel: int) -> Applied:
    """Take away what was created, and forget the hosts on which that went well. Cut short, the same call goes on, hooks and all."""
    around = _course(server, world)
    await hooks.run(around, (RETIRE,), before=True)
    applied = await fleet.apply(planned, {server.name: server}, world, parallel=parallel)
    unwell = {host.host for host in applied.hosts if host.failed} | {problem.host for problem in applied.problems}
    for one in planned:
        if one.host not in unwell and (server.name, one.host) not in applied.held:
            _forget(server.name, one.host, world)
    if not unwell and not applied.held:
        await hooks.run(around, (RETIRE,), before=False)
    return applied


def _course(server: Server, world: World) -> hooks.Course:
    operation = world.identify() if server.hooks else ""
    secret = known_secrets(server.secrets)
    host = server.hosts[0]
    return hooks.Course(world, server.hooks, RETIRE, operation, server.name, host, since=world.ledger.size, secret=secret)


async def forget(server: Server, world: World, *, parallel: int) -> Applied:
    """Stop managing these hosts: everything stays there as it is, and belongs to nobody."""
    planned, problems = await fleet.plan([server], world, parallel=parallel)
    kept = tuple(_all_kept(one) for one in _in_place(planned))
    applied = await leave(server, kept, world, parallel=parallel)
    return replace(applied, problems=(*problems, *applied.problems))


def _refuse_unfinished(planned: HostPlan) -> None:
    if planned.run:
        hint = "`vitrify apply` or `vitrify undo` ends it; then the same command again"
        raise UsageInvalid(f"run {planned.run} on {planned.host} is not finished", hint=hint)


def _all_kept(planned: HostPlan) -> HostPlan:
    """The same plan, with everything let go of instead of taken away."""
    _refuse_unfinished(planned)
    going = tuple(replace(change.resource, absent=False) for change in planned.changes)
    return replace(planned, changes=(), settled=(), forgotten=(*planned.forgotten, *going))


def forget_gone(server: str, hosts: Sequence[str], world: World) -> None:
    """Forget hosts that are gone for good, without asking them."""
    for host in hosts:
        _forget(server, host, world)


def _forget(server: str, host: str, world: World) -> None:
    newest = record.last(world.ledger, server=server, host=host, kinds=(FORGOTTEN, mutable.INTENDED))
    if newest is None or newest.kind != FORGOTTEN:  # a process before this one may have ended between the two
        world.ledger.append(FORGOTTEN, {"server": server, "host": host})
    world.state.forget(server, host)


async def take_over(servers: Sequence[Server], planned: Sequence[HostPlan | ReleasePlan], world: World, *, parallel: int) -> Applied:
    """Manage what is as declared already, from now on; what differs is left as it is. Nothing on the hosts is touched."""
    in_place = _in_place(planned)
    for one in in_place:
        _refuse_unfinished(one)
    untouched = [replace(one, changes=(), forgotten=()) for one in in_place]
    return await fleet.apply(untouched, {server.name: server for server in servers}, world, parallel=parallel)


def abandoned(declared: Sequence[Server], world: World) -> tuple[tuple[str, str], ...]:
    """Server and host of every managed place that no mutable server declares any more."""
    known = {(server.name, host.name) for server in declared if server.lifecycle is Lifecycle.MUTABLE for host in server.hosts}
    return tuple(place for place in world.state.managed() if place not in known)
