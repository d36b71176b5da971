"""The duty `contract`: what a release owes is carried out once nobody can go back behind it any more, and its former instances are gone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from vitrify.core.declaration import Lifecycle, Server
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.migrated import Owed
from vitrify.lifecycle import migration, record
from vitrify.lifecycle.attempts import grown, moment
from vitrify.lifecycle.duty import Charge, Job
from vitrify.lifecycle.lodging import lodged, lodging
from vitrify.lifecycle.settings import known_secrets
from vitrify.lifecycle.world import World

FIRST, LONGEST = 60.0, 3600.0
"""Seconds from one attempt that failed to the next: doubled with each, up to the longest; the ledger tells how many there were."""


class Contract:
    """Belongs to a release, whatever number of hosts has it: once for a server."""

    def jobs(self, charge: Charge) -> Iterator[Job]:
        """One for each server that is replaced as a whole."""
        for server in charge.servers:
            if server.lifecycle is Lifecycle.IMMUTABLE and lodged(server.name, charge.world):
                yield Job("contract", server.name, server.schedule.contract, partial(_contracted, server, charge.world))


async def _contracted(server: Server, world: World) -> str:
    """Look without a lease: mostly nothing is owed, or not yet."""
    owed = migration.owed(server.name, world)
    if owed is None or not owed.due or world.state.open_operations(server.name):
        return ""
    if still := await _former(server.name, owed.release, world):
        return f"release {owed.release} is not contracted yet: {', '.join(still)} of a former release runs"
    if (left := _pause(owed, world)) > 0:
        raise TargetFailed(f"the contract of release {owed.release} failed: again in {left:.0f} s, or `vitrify contract {server.name}`")
    done = await migration.contract(server.name, lodging(server.name, world), world, secret=known_secrets(server.secrets))
    return f"release {done.release} is contracted: {', '.join(done.commands)}"


async def _former(server: str, live: int, world: World) -> tuple[str, ...]:
    """Instances of other releases that somebody may still be answered by, on any host: warm for longer than was thought, or nobody's."""
    found: list[str] = []
    for host in lodged(server, world):
        async with world.site(host) as site:
            known = await site.runtime.instances(world.labels(server))
        found += [one.id for one in known if not one.gone and one.labels.get("release") != str(live)]
    return tuple(found)


def _pause(owed: Owed, world: World) -> float:
    """Seconds until it may be tried again, 0 for now."""
    begun = record.last(world.ledger, server=owed.server, kinds=(migration.INTENDED,))
    if begun is None or begun.body.get("release") != owed.release:
        return 0.0
    operation = begun.body.get("operation")
    later = world.ledger.entries(begun.sequence)
    failed = [entry for entry in later if entry.kind == migration.FAILED and entry.body.get("operation") == operation]
    if not failed:
        return 0.0
    ago = max(0.0, world.clock.now() - moment(failed[-1].at))
    return max(0.0, grown(len(failed), first=FIRST, longest=LONGEST) - ago)
