"""Where requests go: to what is new, all or a part of them, and away from what goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vitrify.core.digest import JSONObject
from vitrify.core.event import Event, Stage
from vitrify.core.instance import Instance
from vitrify.lifecycle.launching import addresses
from vitrify.lifecycle.operation import Rollout
from vitrify.ports import Backends


@dataclass(frozen=True)
class SwitchTimes:
    """Seconds from the durable intent to the switch, and to the first answer through the router."""

    switched: float
    answered: float | None


NOT_SWITCHED = SwitchTimes(0.0, None)


async def switch(rollout: Rollout, instances: tuple[Instance, ...]) -> SwitchTimes:
    """Move all new requests to these instances, in one rename; requests that were held until now go to them as well."""
    world, route = rollout.world, rollout.settings.route
    to = Backends(rollout.set, addresses(instances))
    if route:
        await rollout.site.router.prepare(rollout.server, to=to)
    rollout.note("switch.intended")
    intended_at = world.clock.monotonic()
    answered: float | None = None
    moved: JSONObject = {}
    async with rollout.step("switch"):
        if route:
            moved = await rollout.site.router.switch(rollout.server, to=to)
        switched = world.clock.monotonic() - intended_at
        if route and rollout.operation.kind == "rollback":
            await _answered(rollout)
            answered = world.clock.monotonic() - intended_at
    rollout.note("switch.done", microseconds=round(switched * 1_000_000))
    world.emit(Event("switch", Stage.DONE, rollout.server, f"release {rollout.release.number} is live", moved))
    return SwitchTimes(switched, answered)


async def drain(rollout: Rollout, leaving: Sequence[str]) -> None:
    """Wait until these addresses have answered what they were asked, as long as the declaration allows."""
    clock, router = rollout.world.clock, rollout.site.router
    if not (rollout.settings.route and leaving):
        return
    deadline = clock.monotonic() + rollout.settings.rollout.drain
    while (left := await router.in_flight(leaving)) and clock.monotonic() < deadline:
        rollout.world.say("drain", rollout.server, f"requests in flight: {left}", stage=Stage.PROGRESS)
        await clock.sleep(0.1)
    rollout.world.say("drain", rollout.server, f"requests cut: {left}" if left else "no request left", stage=Stage.DONE)


async def _answered(rollout: Rollout) -> None:
    """Wait for the first answer through the router; to the health path, which costs the application least."""
    health, route = rollout.settings.health, rollout.settings.route
    if route is not None:
        await rollout.site.router.answers(route, path=route.path.rstrip("/") + (health.http if health and health.http else "/"))
