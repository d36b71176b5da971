"""What is next, at an address of its own, before anybody promotes it.

The address is there for good: a router that learns and forgets a route for each release would load its configuration each time, and
lose requests. So it leads to what is next while there is anything, and to what is live otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from vitrify.core.declaration import Route
from vitrify.core.event import Stage
from vitrify.core.instance import Instance
from vitrify.core.strategy import BLUE_GREEN, CANARY
from vitrify.lifecycle.launching import addresses
from vitrify.lifecycle.operation import Rollout
from vitrify.lifecycle.settings import RunSettings, from_json
from vitrify.lifecycle.world import Site, World
from vitrify.ports import Backends

_NEXT = ".next"
"""No server is called so: a dot is no part of a server's name."""


def preview_route(settings: RunSettings) -> Route | None:
    """The route that leads to what is next; None where none is declared."""
    route, manner = settings.route, settings.rollout.manner
    if route is None or not manner.preview or settings.rollout.strategy not in (BLUE_GREEN, CANARY):
        return None
    if manner.previewed_on_its_own:
        router = replace(route.router, name=f"{route.router.name}{_NEXT}", listen=manner.preview)
        return replace(route, router=router, host="")
    return replace(route, host=manner.preview)


def preview_name(server: str) -> str:
    """What the router calls it."""
    return f"{server}{_NEXT}"


async def show(rollout: Rollout, instances: tuple[Instance, ...]) -> None:
    """Lead the preview to these instances, where one is declared."""
    route = preview_route(rollout.settings)
    if route is None or not rollout.untried or rollout.standing.switched:
        return
    async with rollout.step("preview"):
        await rollout.site.router.ensure(route, server=preview_name(rollout.server))
        await _lead(rollout, rollout.set, addresses(instances))
    url = await rollout.site.router.address(route)
    rollout.world.say("preview", rollout.server, f"release {rollout.release.number} can be looked at: {url}", stage=Stage.DONE)


async def to_live(rollout: Rollout, instances: Iterable[Instance]) -> None:
    """What was next is live, or another release is: the preview leads there, and must not lead to addresses that others will get."""
    if (route := preview_route(rollout.settings)) is not None:
        await rollout.site.router.ensure(route, server=preview_name(rollout.server))
        await _lead(rollout, rollout.set, addresses(instances))


async def back(rollout: Rollout) -> None:
    """What was next ends: the preview leads to what serves on, or nowhere where nothing does."""
    route = preview_route(rollout.settings)
    if route is None:
        return
    if not rollout.intended.back or former_route(rollout) != route:
        await rollout.site.router.release(route, server=preview_name(rollout.server))
    elif await rollout.site.router.live(preview_name(rollout.server)) is not None:
        await _lead(rollout, rollout.intended.back_set, rollout.intended.back)


def former_route(rollout: Rollout) -> Route | None:
    """The preview of the release that was live before."""
    live = rollout.intended.live
    found = rollout.world.state.release(rollout.server, live) if live else None
    return preview_route(from_json(found.settings)) if found else None


async def forget_previews(server: str, site: Site, world: World) -> None:
    """Wherever a preview of this server ever was, it leads nowhere."""
    shown = dict.fromkeys(preview_route(from_json(release.settings)) for release in world.state.releases(server))
    for route in shown:
        if route is not None:
            await site.router.release(route, server=preview_name(server))


async def _lead(rollout: Rollout, name: str, to: tuple[str, ...]) -> None:
    await rollout.site.router.switch(preview_name(rollout.server), to=Backends(name, to))
