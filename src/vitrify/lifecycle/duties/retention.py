"""The duty `retention`: what was kept warm and is over leaves its host, and so does every image that no release needs any more."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.instance import Instance
from vitrify.core.readable import many
from vitrify.lifecycle.audit import altered_findings, record_new, unauthorised
from vitrify.lifecycle.collection import collect
from vitrify.lifecycle.duty import Charge, Job
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.lodging import lodged
from vitrify.lifecycle.world import Site, World

_GRACE = 10.0


class Retention:
    """Instances leave server by server, each by its lease; images leave all together."""

    def jobs(self, charge: Charge) -> Iterator[Job]:
        """One for each host on which a server may have instances to lose, and one for the images of all."""
        for server in charge.servers:
            for host in lodged(server.name, charge.world):
                act = partial(_left, server.name, host, charge.world)
                yield Job("retention", server.name, server.schedule.retention, act, host=host.name)
        yield Job("retention", "", charge.schedule.retention, partial(_collected, charge.world))


async def _left(server: str, host: Host, world: World) -> str:
    """Look without a lease: mostly nothing is over."""
    async with world.site(host) as site:
        if not await _over(server, site, world):
            return ""
    async with holding(server, host, world, reason="retention") as held:
        over = await _over(server, held, world)
        # With an instance goes what was altered in it: that is told first, or nobody would ever know.
        altered = {instance.id: await held.runtime.altered(instance.id) for instance in over}
        record_new(unauthorised(altered_findings(server, altered)), world)
        for instance in over:
            if not instance.gone:
                await held.runtime.stop(instance.id, grace=_GRACE)
            await held.runtime.discard(instance.id)
    return f"left, being over: {', '.join(instance.id for instance in over)}" if over else ""


async def _over(server: str, site: Site, world: World) -> tuple[Instance, ...]:
    """Instances that ended, or whose time is over, beside the live release; none while an operation is under way, which may want them."""
    if world.state.open_operation(server, site.host.name) is not None:
        return ()
    live, now = str(world.state.slots(server, site.host.name).live), world.clock.now()
    beside = [one for one in await site.runtime.instances(world.labels(server)) if one.labels.get("release") != live]
    return tuple(one for one in beside if one.gone or (one.stop_at is not None and one.stop_at < now))


async def _collected(world: World) -> str:
    found = await collect(world)
    problems = [one.problem for one in found if one.problem]
    if problems:
        raise TargetFailed("; ".join(problems))
    images, size = sum(len(one.images) + len(one.roots) for one in found), sum(one.size for one in found)
    return f"taken away, being needed by no release: {many(images, 'image')}, {size:,} bytes" if images else ""
