"""A few at a time: some new ones start, as many old ones leave, until none is left. What is to do is seen from what runs.

Each turn is one step, and may be repeated from wherever it was broken off: what was launched is adopted, what has left has left.
"""

from __future__ import annotations

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.event import Stage
from vitrify.core.phase import Phase, Standing
from vitrify.lifecycle.fitness import gate
from vitrify.lifecycle.launching import GRACE, addresses, launch_some, own_of
from vitrify.lifecycle.operation import Progress, Rollout
from vitrify.lifecycle.strategy.forward import Forward, switched
from vitrify.lifecycle.strategy.restore import survivors
from vitrify.lifecycle.strategy.turn import Turn, next_turn
from vitrify.lifecycle.switching import drain
from vitrify.lifecycle.taking_back import or_back
from vitrify.ports import Backends


async def bring(rollout: Rollout) -> Forward:
    """Turn by turn; then the new ones are the set that all requests go to."""
    while (turn := await _next(rollout)) is not None:
        async with or_back(rollout, VitrifyError):
            await _carry_out(rollout, turn)
    async with or_back(rollout, VitrifyError):
        instances = await launch_some(rollout, rollout.settings.replicas)
        await gate(rollout, instances)
    return await switched(rollout, instances)


async def _next(rollout: Rollout) -> Turn | None:
    """What is left to do; a turn that was announced is ended, also where nothing of it is left."""
    manner, replicas = rollout.settings.rollout.manner, rollout.settings.replicas
    running = [instance for instance in await own_of(rollout) if not instance.gone]
    old = await survivors(rollout)
    turn = next_turn(len(running), old, replicas, surge=manner.surge(replicas), lacking=manner.lacking(replicas))
    announced = rollout.standing == Standing(Phase.ROLLING, begun=True)
    return Turn(replicas, (), ()) if turn is None and announced else turn


async def _carry_out(rollout: Rollout, turn: Turn) -> None:
    number = max(0, rollout.progress.stage) + (0 if rollout.standing.begun else 1)
    async with rollout.step("roll", progress=Progress(number, rollout.world.clock.now())):
        new = await launch_some(rollout, turn.new)
        if new:
            await rollout.open_gate()
        await gate(rollout, new)
        if rollout.settings.route:
            to = Backends(f"{rollout.set}.{number}", addresses((*new, *turn.staying)))
            await rollout.site.router.switch(rollout.server, to=to)
        await drain(rollout, addresses(turn.leaving))
        for old in turn.leaving:
            await rollout.site.runtime.stop(old.id, grace=GRACE)
    told = f"{turn.new} of {rollout.settings.replicas} instances are of release {rollout.release.number}"
    rollout.world.say("roll", rollout.server, told, stage=Stage.DONE)
