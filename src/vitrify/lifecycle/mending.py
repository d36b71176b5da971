"""The replacement that needs nobody to ask for it: new instances in place of those that ended, and of no other."""

from __future__ import annotations

from vitrify.core.declaration import Host, Server
from vitrify.core.plan import ReleasePlan
from vitrify.core.report import Released
from vitrify.lifecycle import upkeep
from vitrify.lifecycle.immutable import reopened, replacement
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.rollout import carry_out
from vitrify.lifecycle.settings import from_json, known_secrets
from vitrify.lifecycle.world import Site, World
from vitrify.ports import Operation


def mends(operation: Operation) -> bool:
    """Whether this is a replacement that is ended here: one that leaves evidence is ended by whoever answers the finding."""
    return replaces(operation) and not operation.data.get("evidence")


def replaces(operation: Operation) -> bool:
    """Whether this is a replacement by itself: one that is part of a move over several hosts is settled with all of them."""
    return operation.kind == "replace" and not operation.data.get("wave")


async def mend(server: Server, host: Host, world: World) -> Released | None:
    """Carry that out on this host; nothing where no instance ended, or another operation is under way.

    A replacement that was interrupted is ended. Whatever else is amiss (what was altered, what is declared by now) stays as it is.
    """
    async with holding(server.name, host, world, reason="mend") as site:
        operation = world.state.open_operation(server.name, host.name)
        if operation is not None:
            secret = known_secrets(server.secrets)
            return await carry_out(reopened(operation, site, world, secret=secret)) if mends(operation) else None
        due = await _due(server, site, world)
        return await carry_out(await replacement(server, due, site, world)) if due else None


async def _due(server: Server, site: Site, world: World) -> ReleasePlan | None:
    """What an apply would do if nothing but this were amiss: by the settings of the live release, whatever is declared by now."""
    number = world.state.slots(server.name, site.host.name).live
    live = world.state.release(server.name, number) if number else None
    known = await site.runtime.instances(world.labels(server.name, number)) if live else ()
    if live is None or not upkeep.too_few(known, replicas=from_json(live.settings).replicas):
        return None
    out = tuple(instance.id for instance in known if upkeep.over(instance))
    return ReleasePlan(server.name, site.host.name, "replace", live.number, live.number, (), replace=out)
