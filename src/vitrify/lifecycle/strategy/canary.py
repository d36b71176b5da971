"""A part first: so many of a hundred requests go to what is new, more with each step, as long as its answers are good ones."""

from __future__ import annotations

from dataclasses import replace

from vitrify.core.event import Stage
from vitrify.core.instance import Instance
from vitrify.core.phase import Phase, Standing
from vitrify.core.strategy import Weight
from vitrify.lifecycle.fitness import Unfit, watch
from vitrify.lifecycle.launching import addresses
from vitrify.lifecycle.operation import Rollout
from vitrify.lifecycle.strategy.blue_green import must_be_promoted
from vitrify.lifecycle.strategy.forward import Forward, gated, promoted, switched, waiting
from vitrify.lifecycle.taking_back import or_back
from vitrify.ports import Backends, Beside


async def bring(rollout: Rollout) -> Forward:
    """Launch, gate, then step by step; every failure takes the canary back."""
    instances = await gated(rollout)
    if rollout.progress.stage < 0 and must_be_promoted(rollout) and not await promoted(rollout):
        return waiting(rollout, instances)
    if rollout.standing == Standing(Phase.PROMOTED, begun=True):
        await promoted(rollout)  # to its end, perhaps: then no step that is left writes it down
    if not _all_have_it(rollout):
        for stage, step in list(enumerate(rollout.settings.rollout.manner.steps))[max(0, rollout.progress.stage) :]:
            if not await _stage(rollout, instances, stage, step):
                return waiting(rollout, instances)
    return await switched(rollout, instances)


def _all_have_it(rollout: Rollout) -> bool:
    """Whether the switch was begun already: then no part is taken out again, as long as it is fit."""
    return rollout.standing.phase in (Phase.SWITCHED, Phase.PROVEN)


async def _stage(rollout: Rollout, instances: tuple[Instance, ...], stage: int, step: Weight) -> bool:
    """Whether the next step may be taken; False where it waits for somebody to say so."""
    since = await _share(rollout, instances, stage, step)
    asked = rollout.standing.phase is Phase.PROMOTED
    left = 0.0 if asked or step.hold is None else max(0.0, since + step.hold - rollout.world.clock.now())
    async with or_back(rollout, Unfit):
        await watch(rollout, instances, seconds=min(left, step.hold or 0.0))
    return (step.hold is not None and not asked) or await promoted(rollout)


async def _share(rollout: Rollout, instances: tuple[Instance, ...], stage: int, step: Weight) -> float:
    """Send this part of the requests to what is new; when that was begun."""
    progress, standing, router = rollout.progress, rollout.standing, rollout.site.router
    old = Backends(rollout.intended.back_set, rollout.intended.back)
    beside = Beside(Backends(rollout.set, addresses(instances)), step.percent)
    if progress.stage == stage and not (standing.phase is Phase.CANARY and standing.begun):
        if await router.beside(rollout.server) != beside:  # they were started again meanwhile, at other addresses
            await router.switch(rollout.server, to=old, beside=beside)
        return progress.since
    begun = replace(progress, stage=stage, since=rollout.world.clock.now())
    rollout.note(f"canary.{step.percent}", percent=step.percent)
    async with rollout.step("canary", progress=begun):
        await router.switch(rollout.server, to=old, beside=beside)
    told = f"release {rollout.release.number} gets {step.percent}% of the requests"
    rollout.world.say("canary", rollout.server, told, stage=Stage.DONE)
    return begun.since
