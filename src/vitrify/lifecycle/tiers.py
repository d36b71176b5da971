"""How far away a former release is: warm, stopped, an image only, or gone. Whoever goes back is told before what that will take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from vitrify.core.instance import Instance
from vitrify.core.rollout_report import WayBack
from vitrify.lifecycle.immutable import rollback_target
from vitrify.lifecycle.lodging import live, lodged
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
    target, now = rollback_target(server, world, to=to), live(server, world)
    begun = next((one for one in world.state.open_operations(server) if one.kind == "release"), None)
    way = WayBack(server, now.number if now else None, target.number, ends=begun.release if begun else None)
    if not look:
        return way
    replicas, launch, sound, worst = from_json(target.settings).replicas, 0, list[Instance](), WARM
    for host in lodged(server, world):
        async with world.site(host) as site:
            found = await site.runtime.instances(world.labels(server, target.number))
            here = [one for one in found if one.gone or not await site.runtime.altered(one.id)]
        launch += max(0, replicas - sum(not one.gone for one in here))
        worst = max(worst, tier(target, here, has_image=True), key=TIERS.index)
        sound += here
    left = min((one.stop_at - world.clock.now() for one in sound if one.stop_at is not None and not one.gone), default=None)
    return replace(way, tier=worst, launch=launch, left=left)
