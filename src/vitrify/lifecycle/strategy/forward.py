"""What all strategies have in common: what they come to, the gate before requests are moved, the probation afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.event import Stage
from vitrify.core.instance import Instance
from vitrify.core.phase import Phase
from vitrify.lifecycle import preview
from vitrify.lifecycle.fitness import Unfit, gate, probation
from vitrify.lifecycle.hooks import HookFailed
from vitrify.lifecycle.launching import launch
from vitrify.lifecycle.operation import Rollout
from vitrify.lifecycle.switching import NOT_SWITCHED, SwitchTimes, switch
from vitrify.lifecycle.taking_back import or_back
from vitrify.lifecycle.traffic import waits


@dataclass(frozen=True)
class Forward:
    """A release that has the traffic and has proved itself, while there is a way back: what served before is there, or can be started.

    Where `waits` says for what, it does not have all of the traffic yet: nothing more is done until somebody promotes it.
    """

    instances: tuple[Instance, ...]
    times: SwitchTimes
    since: float = 0.0
    """When it was begun, by the clock that never goes back."""
    waits: str = ""


async def gated(rollout: Rollout) -> tuple[Instance, ...]:
    """The instances, fit for traffic and to be previewed; `PreviousStillServing` once everything is as it was before."""
    async with or_back(rollout, VitrifyError):
        async with rollout.step("launch"):
            instances = await launch(rollout)
        async with rollout.step("gate"):
            await gate(rollout, instances)
        await preview.show(rollout, instances)
    return instances


async def switched(rollout: Rollout, instances: tuple[Instance, ...]) -> Forward:
    """All requests go to these, which prove themselves; `PreviousStillServing` once traffic is back where it was."""
    async with or_back(rollout, HookFailed, Unfit):
        times = await switch(rollout, instances)
        async with rollout.step("probation"):
            await probation(rollout, instances)
    return Forward(instances, times)


async def promoted(rollout: Rollout) -> bool:
    """Whether somebody said that it may go on from where it waits; else it is noted that it waits."""
    standing = rollout.standing
    if standing.phase is Phase.PROMOTED:
        if standing.begun:
            async with rollout.step("promote"):
                pass
        return True
    async with rollout.step("wait"):
        pass
    return False


async def let_go_on(rollout: Rollout, *, everything: bool) -> None:
    """Somebody said that it may go on from where it stands; durable from here on: whoever goes on with it need not ask again."""
    progress, steps = replace(rollout.progress, promoted=True), len(rollout.settings.rollout.manner.steps)
    rollout.note(f"promote.{progress.stage + 1}", everything=everything)
    async with rollout.step("promote", progress=replace(progress, stage=steps) if everything else progress):
        pass
    rollout.world.say("promote", rollout.server, f"release {rollout.release.number} goes on", stage=Stage.DONE)


def waiting(rollout: Rollout, instances: tuple[Instance, ...]) -> Forward:
    """It goes no further for now."""
    said = f"release {rollout.release.number} of {rollout.server} waits {waits(rollout.now(), rollout.settings)}"
    return Forward(instances, NOT_SWITCHED, waits=said)
