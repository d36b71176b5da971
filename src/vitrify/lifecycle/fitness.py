"""Whether instances are fit for traffic: asked before they get it, and for a while after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from vitrify.core.declaration import Health
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.event import Stage
from vitrify.core.instance import Instance
from vitrify.lifecycle.gate import failing
from vitrify.lifecycle.operation import Rollout

_CRASHES = 2
"""So many crashes, while it is looked at, make an instance unfit."""
_LAST_WORDS = 5


class Unfit(VitrifyError):
    """The new instances must not get, or keep, traffic."""


async def gate(rollout: Rollout, instances: Iterable[Instance]) -> None:
    """Wait until each instance passes its health check several times in a row; `Unfit` with the reason where one does not."""
    for instance in instances:
        passes = 1 if instance.id in rollout.intended.keep else None
        await _healthy(rollout, instance, passes=passes)
        rollout.world.say("instance.health", instance.id, "passes", stage=Stage.DONE)
    if rollout.settings.route:
        await rollout.site.router.ensure(rollout.settings.route, server=rollout.server)


async def _healthy(rollout: Rollout, instance: Instance, *, passes: int | None) -> None:
    health = rollout.settings.health or Health(grace=10.0)
    health = replace(health, passes=passes or health.passes)
    reason = await failing(partial(_look, rollout, instance), health, rollout.world.clock)
    if reason:
        raise await _unfit(rollout, instance, f"instance {instance.id} is not healthy after {health.grace:g} s", reason)


async def _look(rollout: Rollout, instance: Instance) -> str:
    """One look, "" where it passes. What counts are crashes since it came into this rollout: others are its history."""
    found = [seen for seen in await rollout.running() if seen.id == instance.id]
    if not found or found[0].restarts - instance.restarts >= _CRASHES:
        code = f" with exit code {found[0].exit_code}" if found and found[0].exit_code is not None else ""
        raise await _unfit(rollout, instance, f"instance {instance.id} ended{code}")
    if rollout.settings.health is None:
        return "" if found[0].state == "running" else f"is {found[0].state}"
    return await rollout.site.runtime.healthy(instance.id, rollout.settings.health)


async def _unfit(rollout: Rollout, instance: Instance, what: str, reason: str = "") -> Unfit:
    """The error, with the instance's last words: it is discarded soon, and its log with it.

    The words are no part of what the ledger is told, which is the summary: an application may say what nobody should keep.
    """
    said = (await rollout.site.runtime.logs(instance.id, lines=_LAST_WORDS)).strip()
    return Unfit(what, why="; ".join(filter(None, (reason, f"its last words: {said}" if said else "it wrote nothing"))))


async def probation(rollout: Rollout, instances: tuple[Instance, ...]) -> None:
    """Keep looking for a while after the switch; `Unfit` at the first instance that fails as often as it had to pass."""
    if rollout.operation.kind == "rollback":
        return  # it has served before, and whoever goes back is in a hurry
    clock, length = rollout.world.clock, rollout.settings.rollout.probation
    health = rollout.settings.health
    until, failures = clock.monotonic() + length, dict.fromkeys((instance.id for instance in instances), 0)
    while clock.monotonic() < until:
        for instance in instances:
            reason = await _look(rollout, instance)
            failures[instance.id] = failures[instance.id] + 1 if reason else 0
            if failures[instance.id] >= (health.passes if health else 2):
                raise await _unfit(rollout, instance, f"instance {instance.id} failed in its probation", reason)
        await clock.sleep(min(1.0, health.interval if health else 0.2))
