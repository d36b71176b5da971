"""Requests are held and then served: for a moment in which nothing may come through, as long as nobody waits too long."""

from __future__ import annotations

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.event import Stage
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.lodging import live, serving
from vitrify.lifecycle.settings import from_json
from vitrify.lifecycle.world import World


async def pause(server: str, world: World, *, at_most: float) -> None:
    """Hold new requests to a server, each for so many seconds at most, until `resume`, a rollback or the next release."""
    for host in _routed(server, world):
        async with holding(server, host, world, reason="pause") as site:
            about: JSONObject = {"server": server, "host": host.name, "token": site.token}
            world.ledger.append("pause.intended", {**about, "at_most_ms": round(at_most * 1000)})
            world.reached("pause.intent")
            await site.router.pause(server, at_most=at_most)
            world.reached("pause.act")
            world.ledger.append("pause.done", about)
            world.reached("pause.outcome")
    world.say("pause", server, f"requests are held, each for {at_most:g} s at most", stage=Stage.DONE)


async def resume(server: str, world: World) -> bool:
    """Let them through again; whether any were held."""
    held = False
    for host in _routed(server, world):
        async with holding(server, host, world, reason="resume") as site:
            held_here = await site.router.paused(server)
            await site.router.resume(server)
            if held_here:
                world.ledger.append("resume.done", {"server": server, "host": host.name, "token": site.token})
        held = held or held_here
    if held:
        world.say("resume", server, "requests go through again", stage=Stage.DONE)
    return held


def _routed(server: str, world: World) -> tuple[Host, ...]:
    """The hosts on which requests reach it."""
    release = live(server, world)
    if release is None or from_json(release.settings).route is None:
        raise UsageInvalid(
            f"{server} has no requests that could be held",
            why="no release of it is live" if release is None else "its live release has no route",
            hint="`vitrify status` shows how servers stand",
        )
    return serving(server, world)
