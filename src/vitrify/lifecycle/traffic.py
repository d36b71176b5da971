"""Where a rollout stands and what gets requests at this moment, for whoever looks: changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vitrify.core.declaration import Route
from vitrify.core.instance import Instance
from vitrify.core.phase import Phase, Standing
from vitrify.core.rollout_report import RolloutStatus
from vitrify.lifecycle.operation import Progress, strategy_for
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
    standing = Standing.of(operation.step)
    beside = await site.router.beside(operation.server) if settings.route else None
    return RolloutStatus(
        release=operation.release,
        kind=operation.kind,
        strategy=strategy_for(operation, settings),
        phase=f"being {standing.phase.spoken}" if standing.begun and standing.taken_back else standing.phase.spoken,
        waits=waits(operation, settings),
        percent=beside.percent if beside else None,
    )


_STANDS = (Phase.GATED, Phase.PREVIEWED, Phase.CANARY, Phase.WAITING, Phase.PROMOTED)
"""Where all instances of what is next run, and nothing but them is to come."""


def lacking(operation: Operation, settings: RunSettings, found: Iterable[Instance]) -> int:
    """How many of the instances do not run that were launched for it already; of a rollout that stops old ones nothing is said."""
    standing, release = Standing.of(operation.step), str(operation.release)
    if not standing.is_at(*_STANDS):
        return 0
    run = sum(one.labels.get("release") == release and not one.gone for one in found)
    return max(0, settings.replicas - run)


def waits(operation: Operation, settings: RunSettings) -> str:
    """What a rollout waits for, in words; nothing where it does not. `settings` are those of its release."""
    if not Standing.of(operation.step).is_at(Phase.WAITING):
        return ""
    stage, steps = Progress.of(operation).stage, settings.rollout.manner.steps
    share = f"with {steps[stage].percent}% of the requests" if 0 <= stage < len(steps) else "before it gets any request"
    return f"{share}: `vitrify promote {operation.server}` or `vitrify abort {operation.server}`"
