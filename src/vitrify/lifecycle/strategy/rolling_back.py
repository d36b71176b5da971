"""The way back of a rolling release: as it came, a few at a time, so that no fewer serve and no more run than was promised.

What is to do is seen from what runs, as on the way there: each turn may be repeated from wherever it was broken off.
"""

from __future__ import annotations

from dataclasses import replace

from vitrify.core.event import Stage
from vitrify.core.instance import Instance
from vitrify.lifecycle.fitness import gate
from vitrify.lifecycle.launching import GRACE, addresses, end, own_of
from vitrify.lifecycle.operation import Rollout
from vitrify.lifecycle.settings import from_json
from vitrify.lifecycle.strategy.restore import AGAIN, as_many, or_told, survivors
from vitrify.lifecycle.strategy.turn import Turn, next_turn
from vitrify.lifecycle.switching import drain
from vitrify.ports import Backends


async def rolled_back(rollout: Rollout) -> Backends:
    """As many as served before, healthy, and none of the new ones beside them; nobody where nothing served. TargetFailed where they do
    not start any more: those that had come back serve then, together with new ones that had not left yet.
    """  # noqa: D205  one thought
    live = rollout.intended.live
    former = rollout.world.state.release(rollout.server, live) if live else None
    if former is None:
        return Backends("", ())
    before = replace(rollout, release=former, settings=from_json(former.settings))
    await _end_unused(rollout)
    async with or_told(rollout):
        while (turn := await _next(rollout, before)) is not None:
            await _carry_out(rollout, before, turn)
        instances = await as_many(before, before.settings.replicas)
        await gate(before, instances)
    return _set(rollout, instances)


async def _end_unused(rollout: Rollout) -> None:
    """New ones that got no request yet make room at once: they may be what is ill."""
    if not rollout.settings.route:
        return
    live = await rollout.site.router.live(rollout.server)
    for instance in await own_of(rollout):
        if not instance.gone and not (live and set(addresses([instance])) & set(live.addresses)):
            await end(rollout, instance, grace=2.0)


async def _next(rollout: Rollout, before: Rollout) -> Turn | None:
    """What is left to do: the same reckoning as on the way there, with old and new in each other's place."""
    manner, replicas = rollout.settings.rollout.manner, before.settings.replicas
    new = [instance for instance in await own_of(rollout) if not instance.gone]
    ill = [instance for instance in new if await _is_ill(rollout, instance)]
    leaving = (*ill, *(one for one in reversed(new) if one not in ill))
    old = len(await survivors(rollout))
    return next_turn(min(old, replicas), leaving, replicas, surge=manner.surge(replicas), lacking=manner.lacking(replicas))


async def _is_ill(rollout: Rollout, instance: Instance) -> bool:
    health = rollout.settings.health
    return health is not None and bool(await rollout.site.runtime.healthy(instance.id, health))


async def _carry_out(rollout: Rollout, before: Rollout, turn: Turn) -> None:
    old = await as_many(before, turn.new)
    await gate(before, old)
    if rollout.settings.route:
        await rollout.site.router.switch(rollout.server, to=_set(rollout, (*old, *turn.staying)))
    await drain(rollout, addresses(turn.leaving))
    for instance in turn.leaving:
        await rollout.site.runtime.stop(instance.id, grace=GRACE)
    told = f"{turn.new} of {before.settings.replicas} instances are of release {before.release.number} again"
    rollout.world.say("roll", rollout.server, told, stage=Stage.DONE)


def _set(rollout: Rollout, instances: tuple[Instance, ...]) -> Backends:
    return Backends(f"{rollout.set}{AGAIN}", addresses(instances))
