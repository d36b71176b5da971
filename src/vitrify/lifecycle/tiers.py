"""How far away a former release is: warm, stopped, an image only, or gone. Whoever goes back is told before what that will take."""

from __future__ import annotations

from collections.abc import Iterable

from vitrify.core.instance import Instance
from vitrify.core.report import WayBack
from vitrify.lifecycle.immutable import rollback_target
from vitrify.lifecycle.lodging import lodging
from vitrify.lifecycle.settings import from_json
from vitrify.lifecycle.world import World
from vitrify.ports import Release

WARM, STOPPED, IMAGE, COLLECTED = TIERS = ("warm", "stopped", "image", "collected")
"""Its instances run; they ended, and are there; only its image is; nothing is. Each is farther away than the one before it."""


def tier(release: Release, instances: Iterable[Instance], *, has_image: bool) -> str:
    """How far away a release is that is not live; `instances` are its own, of any state."""
    found = list(instances)
    if release.over or not has_image:
        return COLLECTED
    if any(not instance.gone for instance in found):
        return WARM
    return STOPPED if found else IMAGE


async def way_back(server: str, world: World, *, to: int | None, look: bool = True) -> WayBack:
    """What a rollback would take; `UsageInvalid` or `Denied`, with what is left to choose from, where it cannot be.

    Without a look at the host, which takes as long as a warm rollback does, only which release it would be.
    """
    host = lodging(server, world)
    target = rollback_target(server, host, world, to=to)
    settings, live = from_json(target.settings), world.state.slots(server, host.name).live
    if not look:
        return WayBack(server, live, target.number)
    async with world.site(host) as site:
        found = await site.runtime.instances(world.labels(server, target.number))
        sound = [one for one in found if one.gone or not await site.runtime.altered(one.id)]
    running = sum(not instance.gone for instance in sound)
    return WayBack(
        server=server,
        live=live,
        release=target.number,
        tier=tier(target, sound, has_image=True),
        launch=max(0, settings.replicas - running),
        left=min((one.stop_at - world.clock.now() for one in sound if one.stop_at is not None and not one.gone), default=None),
    )
