"""Where a rollout stands and what gets requests at this moment, for whoever looks: changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vitrify.core.declaration import Route
from vitrify.core.phase import Phase, Standing
from vitrify.core.rollout_report import RolloutStatus
from vitrify.core.strategy import strategy_of
from vitrify.lifecycle.operation import Intended, Progress
from vitrify.lifecycle.preview import preview_name, preview_route
from vitrify.lifecycle.retire import RETIRE
from vitrify.lifecycle.settings import RunSettings
from vitrify.lifecycle.world import Site
from vitrify.ports import Operation


@dataclass(frozen=True)
class Traffic:
    """What `status` tells of requests beside the instances."""

    rollout: RolloutStatus | None = None
    paused: bool = False
    preview: str = ""


async def traffic_of(
    operation: Operation | None, settings: Mapping[int, RunSettings], route: Route | None, *, site: Site, server: str
) -> Traffic:
    """Ask the router; `settings` are those of each release, `route` that of the live one."""
    begun = settings.get(operation.release) if operation and operation.kind != RETIRE else None
    shown = preview_route(begun) if begun else None
    return Traffic(
        rollout=await _rollout(operation, begun, site) if operation and begun else None,
        paused=await site.router.paused(server) if route else False,
        preview=await site.router.address(shown) if shown and await site.router.live(preview_name(server)) else "",
    )


async def _rollout(operation: Operation, settings: RunSettings, site: Site) -> RolloutStatus:
    intended, standing = Intended.from_json(operation.data), Standing.of(operation.step)
    declared, route = settings.rollout, settings.route is not None
    strategy = strategy_of(declared.strategy, operation.kind, live=intended.live is not None, route=route and bool(intended.back))
    beside = await site.router.beside(operation.server) if route else None
    return RolloutStatus(
        release=operation.release,
        kind=operation.kind,
        strategy=strategy,
        phase=f"being {standing.phase.spoken}" if standing.begun and standing.taken_back else standing.phase.spoken,
        waits=waits(operation, settings),
        percent=beside.percent if beside else None,
    )


def waits(operation: Operation, settings: RunSettings) -> str:
    """What a rollout waits for, in words; nothing where it does not. `settings` are those of its release."""
    if not Standing.of(operation.step).is_at(Phase.WAITING):
        return ""
    stage, steps = Progress.of(operation).stage, settings.rollout.manner.steps
    share = f"with {steps[stage].percent}% of the requests" if 0 <= stage < len(steps) else "before it gets any request"
    return f"{share}: `vitrify promote {operation.server}` or `vitrify abort {operation.server}`"
