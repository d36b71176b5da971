"""The rollout machine: what is new comes into service by the declared strategy, and what was there before is let go.

Each step is intent, act, outcome under one operation, and `core.phase` says which may follow which. Recovery is the same path walked
again: launching adopts what runs under its id, a switch repeated is harmless, and what the router points at decides whether traffic has
moved, not what we remember. What is being taken back is taken back to its end.

| killed behind          | traffic is on | the same command again                                      |
|------------------------|---------------|-------------------------------------------------------------|
| launch, gate (any)     | old           | adopts the instances, gates, goes on                        |
| pause, stop            | held          | ends what is old, launches: what is held goes to what is new|
| canary, wait, promote  | both          | goes on with the step that it was at, for what is left of it|
| roll                   | both          | sees what runs, and goes on from there                      |
| switch.intent          | old           | adopts, gates, switches                                     |
| switch.act, probation  | new           | repeats the switch (harmless), proves, lets go              |
| drain.intent or later  | new           | lets go: the old ones may be gone by now                    |
| switch_back, abort     | old or both   | takes it back to the end                                    |
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.report import Released
from vitrify.core.strategy import BLUE_GREEN, CANARY, RECREATE, ROLLING
from vitrify.lifecycle.launching import launch
from vitrify.lifecycle.operation import Rollout
from vitrify.lifecycle.preview import preview_route
from vitrify.lifecycle.settling import finish, let_go
from vitrify.lifecycle.strategy import blue_green, canary, recreate, rolling
from vitrify.lifecycle.strategy.forward import Forward
from vitrify.lifecycle.switching import NOT_SWITCHED
from vitrify.lifecycle.taking_back import still_serving, take_back

__all__ = ("Forward", "carry_out", "forward", "settle", "take_back")

_STRATEGIES: Final[Mapping[str, Callable[[Rollout], Awaitable[Forward]]]] = {
    BLUE_GREEN: blue_green.bring,
    CANARY: canary.bring,
    ROLLING: rolling.bring,
    RECREATE: recreate.bring,
}


async def carry_out(rollout: Rollout) -> Released:
    """Bring the release into service without losing a request; `PreviousStillServing` where it is not fit for it."""
    return await settle(rollout, await forward(rollout))


async def forward(rollout: Rollout) -> Forward:
    """As far as there is a way back: `switch_back` undoes it; `PreviousStillServing` where that was done already."""
    started = rollout.world.clock.monotonic()
    rollout.note(f"{rollout.operation.kind}.intended", live=rollout.intended.live)
    if rollout.standing.settled:
        return Forward(await launch(rollout), NOT_SWITCHED, started)
    if rollout.standing.taken_back:
        reason = rollout.progress.reason or "it was being taken back"
        await take_back(rollout, reason=reason)
        raise still_serving(rollout, VitrifyError(reason))
    return replace(await _STRATEGIES[rollout.strategy](rollout), since=started)


async def settle(rollout: Rollout, reached: Forward) -> Released:
    """Let go of what served before: from here on there is no way back but a rollback. What waits is left waiting."""
    if not reached.waits:
        await let_go(rollout, reached.instances)
        finish(rollout)
    kind = rollout.operation.kind
    return Released(
        server=rollout.server,
        host=rollout.host.name,
        kind=kind,
        release=rollout.release.number,
        previous=rollout.slots.previous,
        image=rollout.release.image,
        instances=tuple(instance.id for instance in reached.instances),
        url=await _url(rollout),
        warm=kind == "rollback" and bool(rollout.intended.keep),
        switch_seconds=reached.times.switched,
        answer_seconds=reached.times.answered,
        seconds=rollout.world.clock.monotonic() - reached.since,
        waits=reached.waits,
        preview=await _preview(rollout) if reached.waits else "",
    )


async def _url(rollout: Rollout) -> str:
    route = rollout.settings.route
    return await rollout.site.router.address(route) if route else ""


async def _preview(rollout: Rollout) -> str:
    route = preview_route(rollout.settings)
    return await rollout.site.router.address(route) if route else ""
