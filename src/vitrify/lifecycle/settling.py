"""The end of a rollout that went well: the old requests are let finish, the old instances kept warm or ended, the slots noted."""

from __future__ import annotations

from vitrify.core.instance import Instance
from vitrify.lifecycle import preview
from vitrify.lifecycle.launching import GRACE, addresses, end
from vitrify.lifecycle.operation import Rollout
from vitrify.lifecycle.settings import from_json
from vitrify.lifecycle.switching import drain


async def let_go(rollout: Rollout, instances: tuple[Instance, ...]) -> None:
    """Let the old requests finish, keep the old release warm for a while, take away what is older."""
    async with rollout.step("drain"):
        await _leave_routes(rollout)
        await preview.to_live(rollout, instances)
        await drain(rollout, [address for address in rollout.intended.back if address not in addresses(instances)])
    async with rollout.step("retire"):
        await _retire(rollout, {instance.id for instance in instances})


async def _retire(rollout: Rollout, serving: set[str]) -> None:
    world, runtime, settings = rollout.world, rollout.site.runtime, rollout.settings.rollout
    warm = str(rollout.slots.previous) if settings.keep_warm > 0 else ""
    for old in await runtime.instances(world.labels(rollout.server)):
        if old.id in serving:
            continue
        if old.labels.get("release") == warm and old.id not in rollout.intended.out and not old.gone:
            if old.stop_at is None:
                await runtime.stop_later(old.id, at=world.clock.now() + settings.keep_warm)
        else:
            await end(rollout, old, grace=GRACE)


async def _leave_routes(rollout: Rollout) -> None:
    """A release without a route follows one that had it: the router must not lead to addresses that others will get."""
    former = rollout.world.state.release(rollout.server, rollout.intended.live) if rollout.intended.live else None
    route = from_json(former.settings).route if former else None
    if route and not rollout.settings.route:
        await rollout.site.router.release(route, server=rollout.server)
    shown = preview.former_route(rollout)
    if shown and preview.preview_route(rollout.settings) != shown:
        await rollout.site.router.release(shown, server=preview.preview_name(rollout.server))


def finish(rollout: Rollout) -> None:
    """Close the operation: the ledger first, then slots and states in one transaction."""
    slots = rollout.slots
    rollout.note(f"{rollout.operation.kind}.done", previous=slots.previous)
    states = {rollout.release.number: "live"}
    retained = 0
    for release in rollout.world.state.releases(rollout.server, host=rollout.host.name):
        if release.number == slots.live or release.over:
            continue
        retained += 1
        # The previous release can be many numbers back, after rollbacks: it is kept whatever its age.
        kept = retained <= rollout.settings.rollout.retain
        states[release.number] = "warm" if release.number == slots.previous else "stopped" if kept else "discarded"
    rollout.close(slots=slots, states=states)
