"""Requests are held and then served: for a moment in which nothing may come through, as long as nobody waits too long."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.event import Stage
from vitrify.core.report import Applied
from vitrify.lifecycle.fleet import problem
from vitrify.lifecycle.lodging import live, serving
from vitrify.lifecycle.many_hosts import held, left_alone
from vitrify.lifecycle.settings import from_json, known_secrets
from vitrify.lifecycle.waves import Move
from vitrify.lifecycle.world import Site, World


async def pause(server: str, world: World, *, at_most: float, parallel: int = 10) -> Applied:
    """Hold new requests to a server on all its hosts, each for so many seconds at most, until `resume`, a rollback or the next release.

    Where one of them cannot be had none is held: what must not come through would come through there.
    """
    hosts, move = _routed(server, world), Move(server, "", world, known_secrets({}), parallel=parallel)
    async with AsyncExitStack() as stack:
        sites, applied = await held(stack, move, hosts, reason="pause")
        if applied.problems:
            return left_alone(server, sites, applied)
        _, lost = await move.on_each({name: partial(_pause, server, site, world, at_most=at_most) for name, site in sites.items()})
        if lost and not hosts[1:]:
            raise next(iter(lost.values()))
        if lost:
            await move.on_each({name: partial(_resume, server, site, world) for name, site in sites.items() if name not in lost})
            problems = tuple(problem(server, name, error) for name, error in lost.items())
            return left_alone(server, [name for name in sites if name not in lost], Applied(problems=problems))
    world.say("pause", server, f"requests are held, each for {at_most:g} s at most", stage=Stage.DONE)
    return Applied()


async def _pause(server: str, site: Site, world: World, *, at_most: float) -> None:
    about: JSONObject = {"server": server, "host": site.host.name, "token": site.token}
    world.ledger.append("pause.intended", {**about, "at_most_ms": round(at_most * 1000)})
    world.reached("pause.intent")
    await site.router.pause(server, at_most=at_most)
    world.reached("pause.act")
    world.ledger.append("pause.done", about)
    world.reached("pause.outcome")


async def resume(server: str, world: World, *, parallel: int = 10) -> tuple[bool, Applied]:
    """Let them through again on every host that can be reached; whether any were held, and the hosts that could not be."""
    hosts, move = _routed(server, world), Move(server, "", world, known_secrets({}), parallel=parallel)
    async with AsyncExitStack() as stack:
        sites, applied = await held(stack, move, hosts, reason="resume")
        found, lost = await move.on_each({name: partial(_resume, server, site, world) for name, site in sites.items()})
        if lost and not hosts[1:]:
            raise next(iter(lost.values()))
    if _any(found):
        world.say("resume", server, "requests go through again", stage=Stage.DONE)
    return _any(found), applied.joined(Applied(problems=tuple(problem(server, name, error) for name, error in lost.items())))


async def _resume(server: str, site: Site, world: World) -> bool:
    held_here = await site.router.paused(server)
    await site.router.resume(server)
    if held_here:
        world.ledger.append("resume.done", {"server": server, "host": site.host.name, "token": site.token})
    return held_here


def _any(found: Mapping[str, bool]) -> bool:
    return any(found.values())


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
