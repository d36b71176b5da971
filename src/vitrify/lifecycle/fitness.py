"""Whether instances are fit for traffic: asked before they get it, and for a while after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from vitrify.core.declaration import Health
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.event import Stage
from vitrify.core.instance import Instance
from vitrify.core.strategy import Bounds
from vitrify.lifecycle.gate import failing
from vitrify.lifecycle.launching import addresses
from vitrify.lifecycle.operation import Rollout
from vitrify.lifecycle.steadiness import Steadiness
from vitrify.ports import Backends, Measured

_CRASHES = 2
"""So many crashes, while it is looked at, make an instance unfit."""
_LAST_WORDS = 5
_MOMENT = 2.0
"""Seconds that what passes at its address is given to pass by its name as well."""
_COMMAND = 60.0
"""Seconds that a command of a gate may take."""
_JUDGED_EVERY = 1.0
"""Seconds: what a router counted is read from its log."""
_ANY = "*"


class Unfit(VitrifyError):
    """The new instances must not get, or keep, traffic."""


async def gate(rollout: Rollout, instances: Iterable[Instance]) -> None:
    """Wait until each instance passes its health check several times in a row; `Unfit` with the reason where one does not."""
    for instance in instances:
        served = instance.id in rollout.intended.keep
        await _healthy(rollout, instance, passes=1 if served else None)
        if not served:
            await _behind_its_name(rollout, instance)
        rollout.world.say("instance.health", instance.id, "passes", stage=Stage.DONE)
    if rollout.settings.route:
        await rollout.site.router.ensure(rollout.settings.route, server=rollout.server)


async def _behind_its_name(rollout: Rollout, instance: Instance) -> None:
    """`Unfit` where an instance that is healthy at its address is not so for the host name that requests will come with."""
    health, route = rollout.settings.health, rollout.settings.route
    if not (health and health.http and route and route.host) or health.host or _ANY in route.host:
        return
    named = replace(health, host=route.host)
    reason = await failing(partial(rollout.site.runtime.healthy, instance.id, named), _soon(named), rollout.world.clock)
    if reason:
        raise await _unfit(rollout, instance, f"instance {instance.id} is healthy at its address, but not as {route.host}", reason)


def _soon(health: Health) -> Health:
    return replace(health, passes=1, grace=min(health.grace, _MOMENT))


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
    """Look as clients do, then keep looking for a while after the switch; `Unfit` where anything is not as it must be."""
    if rollout.operation.kind == "rollback":
        return  # it has served before, and whoever goes back is in a hurry
    await _as_clients_see_it(rollout)
    await watch(rollout, instances, seconds=rollout.settings.rollout.probation, since_when=" in its probation")


async def _as_clients_see_it(rollout: Rollout) -> None:
    """`Unfit` where what passes at its address does not answer as well by the name of its route, through the router."""
    health, route = rollout.settings.health, rollout.settings.route
    if not (health and health.http and route):
        return
    reason = await failing(partial(rollout.site.router.looks, route, health), _soon(health), rollout.world.clock)
    if reason:
        name = f"{route.host or 'any host'}{route.path}"
        raise Unfit(f"release {rollout.release.number} is healthy at its address, but not behind {name}", why=reason)


async def watch(rollout: Rollout, instances: tuple[Instance, ...], *, seconds: float, since_when: str = "") -> None:
    """Keep looking; `Unfit` at the first instance that fails as often as it had to pass, or flaps, or whose answers are out of bounds."""
    clock, health = rollout.world.clock, rollout.settings.health
    until, steady = clock.monotonic() + seconds, {instance.id: Steadiness(health.passes if health else 2) for instance in instances}
    judged = clock.monotonic()
    while clock.monotonic() < until:
        for instance in instances:
            reason = await _look(rollout, instance)
            if (seen := steady[instance.id]).unfit(failed=bool(reason)):
                raise await _unfit(rollout, instance, f"instance {instance.id} failed{since_when}", seen.told(reason))
        if clock.monotonic() - judged >= _JUDGED_EVERY:
            judged = clock.monotonic()
            await _judge(rollout, instances)
            rollout.world.say("watch", rollout.server, f"{until - judged:.0f} s to go", stage=Stage.PROGRESS)
        await clock.sleep(min(1.0, health.interval if health else 0.2))
    await _judge(rollout, instances, at_the_end=True)


async def _judge(rollout: Rollout, instances: tuple[Instance, ...], *, at_the_end: bool = False) -> None:
    """`Unfit` where the router counted too many bad or slow answers of these, or, at the end, a declared command says no."""
    bounds = rollout.settings.rollout.manner.gate
    if bounds is None:
        return
    told = await _answers(rollout, bounds, instances, at_the_end=at_the_end)
    if not told and at_the_end and bounds.command:
        health = Health(command=bounds.command, timeout=_COMMAND)
        told = next(filter(None, [await rollout.site.runtime.healthy(instance.id, health) for instance in instances]), "")
    if told:
        raise Unfit(f"release {rollout.release.number} does not pass its gate", why=told)


async def _answers(rollout: Rollout, bounds: Bounds, instances: tuple[Instance, ...], *, at_the_end: bool) -> str:
    """What is out of bounds; that there are too few answers to say is told at the end, lest a gate look passed that was not."""
    if not rollout.settings.route or (bounds.errors is None and bounds.p95 is None):
        return ""
    measured = await rollout.site.router.measured(rollout.server, of=Backends(rollout.set, addresses(instances)))
    if at_the_end and measured.requests < bounds.requests:
        told = f"{measured.requests} of the {bounds.requests} answers came that the gate asks for: by them it was not judged"
        rollout.world.say("gate", rollout.server, told)
    return outside(bounds, measured)


def outside(bounds: Bounds, measured: Measured) -> str:
    """What is out of bounds, in words; nothing where all is within them, or there are too few answers to say."""
    if measured.requests < max(1, bounds.requests):
        return ""
    share = measured.errors / measured.requests
    if bounds.errors is not None and share > bounds.errors:
        return f"{measured.errors} of {measured.requests} answers are errors, more than {bounds.errors * 100:g}%"
    if bounds.p95 is not None and measured.p95 is not None and measured.p95 > bounds.p95:
        return f"95 of 100 answers came within {measured.p95:.3g} s only, not {bounds.p95:g} s"
    return ""
