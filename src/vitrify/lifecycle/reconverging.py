"""Puts back what was applied to some paths of a host, by a plan of just the resources concerned: nothing that nobody approved yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from vitrify.core import place
from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.plan import HostPlan, tagged
from vitrify.core.resource import Address, Resource
from vitrify.lifecycle import mutable
from vitrify.lifecycle.world import World

_TAG = "vitrify: drifted"


async def reconverge(server: Server, host: Host, paths: Iterable[str], world: World) -> tuple[str, ...]:
    """Plan and apply what is about these paths; the addresses that were changed. Ends an apply that was cut short first, as any apply does.

    What is declared otherwise than it was applied stays as it is. TargetFailed where a change of it fails.
    """
    planned = await plan(server, host, paths, world)
    if not planned.changes and not mutable.unrecorded(server, host, world):
        return ()
    converged = await mutable.apply(server, host, planned, world)
    failed = [outcome for outcome in converged.outcomes if outcome.outcome == "failed"]
    if failed:
        raise TargetFailed(f"{failed[0].address} could not be put back", why=failed[0].error)
    return tuple(outcome.address for outcome in converged.outcomes)


async def plan(server: Server, host: Host, paths: Iterable[str], world: World) -> HostPlan:
    """The part of the plan that is about these paths, and what listens to it."""
    wanted = tuple(paths)
    applied = {owned.resource.address: owned.resource.digest for owned in (await mutable.look(server, host, world)).owned}
    wishes = [wish for wish in server.wishes(host) if applied.get(wish.address) == wish.digest]
    concerned = {wish.address for wish in wishes if any(about(wish, path) for path in wanted)}
    concerned |= {wish.address for wish in wishes if _listens(wish, concerned, world)}
    marked = [replace(wish, tags=(_TAG,) if wish.address in concerned else ()) for wish in server.wishes(host)]
    whole = await mutable.plan(server, host, world)
    return replace(tagged(whole, marked, tags=(_TAG,)), settled=(), notices=())


def _listens(wish: Resource, to: set[Address], world: World) -> bool:
    return any(address in to for address in world.kinds[wish.address.kind].listens(wish))


def about(wish: Resource, path: str) -> bool:
    """Whether a resource is about this path, or is the one of this address."""
    fields: Mapping[str, JSON] = wish.fields
    tree = fields.get("to")
    named = path in (wish.address.name, str(wish.address), fields.get("path"))
    return named or (isinstance(tree, str) and (path == tree or place.inside(path, tree)))
