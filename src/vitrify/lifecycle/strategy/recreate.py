"""One after the other, for what must never run twice: requests are held, the old ones stop, the new ones start and get what was held."""

from __future__ import annotations

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.event import Stage
from vitrify.core.instance import Instance
from vitrify.lifecycle.launching import GRACE
from vitrify.lifecycle.operation import Rollout, moved
from vitrify.lifecycle.strategy.forward import Forward, gated, switched
from vitrify.lifecycle.switching import drain
from vitrify.lifecycle.taking_back import or_back


async def bring(rollout: Rollout) -> Forward:
    """Hold, stop, launch, gate, switch, prove. The switch lets go what was held."""
    if not await moved(rollout.now(), rollout.settings, rollout.site):
        async with or_back(rollout, VitrifyError):
            await _empty(rollout)
    return await switched(rollout, await gated(rollout))


async def _empty(rollout: Rollout) -> None:
    """Nothing of what was there before runs any more."""
    route, intended, length = rollout.settings.route, rollout.intended, rollout.settings.rollout.manner.pause
    async with rollout.step("pause"):
        if route and intended.back:
            await rollout.site.router.pause(rollout.server, at_most=length)
            rollout.world.say("pause", rollout.server, f"requests are held for {length:g} s at most", stage=Stage.DONE)
    async with rollout.step("stop"):
        await drain(rollout, intended.back)
        for old in await _leaving(rollout):
            await rollout.site.runtime.stop(old.id, grace=GRACE)


async def _leaving(rollout: Rollout) -> list[Instance]:
    found = await rollout.site.runtime.instances(rollout.world.labels(rollout.server))
    own = rollout.operation.id
    return [one for one in found if not (one.gone or one.labels.get("operation") == own or one.id in rollout.intended.keep)]
