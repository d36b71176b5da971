"""Requests are held and then served: for a moment in which nothing may come through, as long as nobody waits too long."""

from __future__ import annotations

from vitrify.core.declaration import Route
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.event import Stage
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.lodging import lodging
from vitrify.lifecycle.settings import from_json
from vitrify.lifecycle.world import World


async def pause(server: str, world: World, *, at_most: float) -> None:
    """Hold new requests to a server, each for so many seconds at most, until `resume`, a rollback or the next release."""
    async with holding(server, lodging(server, world), world, reason="pause") as site:
        _routed(server, world)
        world.ledger.append("pause.intended", {"server": server, "at_most_ms": round(at_most * 1000), "token": site.token})
        world.reached("pause.intent")
        await site.router.pause(server, at_most=at_most)
        world.reached("pause.act")
        world.ledger.append("pause.done", {"server": server, "token": site.token})
        world.reached("pause.outcome")
        world.say("pause", server, f"requests are held, each for {at_most:g} s at most", stage=Stage.DONE)


async def resume(server: str, world: World) -> bool:
    """Let them through again; whether any were held."""
    async with holding(server, lodging(server, world), world, reason="resume") as site:
        _routed(server, world)
        held = await site.router.paused(server)
        await site.router.resume(server)
        if held:
            world.ledger.append("resume.done", {"server": server, "token": site.token})
            world.say("resume", server, "requests go through again", stage=Stage.DONE)
        return held


def _routed(server: str, world: World) -> Route:
    live = world.state.slots(server, lodging(server, world).name).live
    release = world.state.release(server, live) if live else None
    route = from_json(release.settings).route if release else None
    if route is None:
        raise UsageInvalid(
            f"{server} has no requests that could be held",
            why="no release of it is live" if release is None else "its live release has no route",
            hint="`vitrify status` shows how servers stand",
        )
    return route
