"""What a restart of the host does to an apply: the connection breaks, the host comes back, and the same run goes on.

| ended                               | the same command again                                        |
|-------------------------------------|---------------------------------------------------------------|
| before the host goes down           | follows the run there, and waits                              |
| while it is down, or starts         | cannot reach it yet; once it can, goes on behind the restart  |
| behind it                           | goes on behind the restart                                    |
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from vitrify.core import waiting
from vitrify.core.declaration import Host
from vitrify.core.diagnostic import Busy, Denied, PlanStale, TargetFailed, TargetUnreachable, VitrifyError
from vitrify.core.difference import Change
from vitrify.core.digest import JSONObject
from vitrify.core.event import Event, Stage
from vitrify.core.plan import HostPlan
from vitrify.core.resource import Kinds
from vitrify.lifecycle.world import World

PAUSE = 1.0
"""Seconds between two looks whether a host is back."""
UNSAID = "10m"
"""How long a host may take where nothing is declared."""


def restarting(changes: Iterable[Change], kinds: Kinds) -> tuple[Change, ...]:
    """Those that restart the host, or may."""
    return tuple(change for change in changes if kinds[change.resource.address.kind].restarts)


def refuse_here(changes: Iterable[Change], host: Host, world: World) -> None:
    """Raise Denied where a restart would end this very program, before anything is done."""
    found = restarting(changes, world.kinds)
    if found and not (host.is_remote or host.is_folder):
        raise Denied(
            f"{found[0].resource.address} would restart the machine that vitrify runs on",
            why=f"{host.name} is this machine: nobody would be left to wait for it",
            hint="apply from another machine over SSH, or restart by hand and leave it out here",
        )


@dataclass
class Watch:
    """Hears what a run says, and remembers the restart that it went into last."""

    world: World
    changes: tuple[Change, ...]
    begun: str = ""
    """The start of the host that ends."""
    timeout: float = 0.0
    _known: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = restarting(self.changes, self.world.kinds)
        self._known = {str(one.resource.address): waiting.seconds(one.resource, unsaid=UNSAID) for one in known}

    @property
    def hearing(self) -> World:
        """The world of a run that is listened to."""
        return replace(self.world, emit=self._hear) if self._known else self.world

    def _hear(self, event: Event) -> None:
        if event.what == "change" and event.subject in self._known:
            goes = event.stage is Stage.STARTED
            self.begun = str(event.data.get("boot") or "") if goes else ""
            self.timeout = self._known[event.subject]
        self.world.emit(event)

    def explains(self, error: VitrifyError) -> bool:
        """Whether a run ended so because its host goes down."""
        return bool(self.begun) and isinstance(error, (TargetUnreachable, TargetFailed, Busy))


async def back(watch: Watch, scope: JSONObject, host: Host, world: World) -> None:
    """Return once the host has started anew and everything in it; `TargetUnreachable` where it has not in time."""
    begun, why, told = world.clock.monotonic(), "", "has not gone down yet"
    world.say("reboot", host.name, f"goes down, and has {watch.timeout:g} s to be up again")
    try:
        while True:
            if told != why:
                world.say("reboot", host.name, told, stage=Stage.PROGRESS)
                why = told
            if world.clock.monotonic() - begun >= watch.timeout:
                raise _lost(watch, host, why)
            await world.clock.sleep(PAUSE)
            told = await _look(watch, scope, host, world)
            if not told:
                break
    except asyncio.CancelledError:
        world.say("reboot", host.name, "starts by itself; once it answers, run the same command again: it goes on behind the restart")
        raise
    world.say("reboot", host.name, f"is up again after {world.clock.monotonic() - begun:.0f} s", stage=Stage.DONE)


async def _look(watch: Watch, scope: JSONObject, host: Host, world: World) -> str:
    """What it still lacks, in words; "" where nothing."""
    try:
        async with world.session_anew(host) as session:
            answer = await session.call("host.boot", {"scope": scope})
    except (TargetUnreachable, TargetFailed, Busy):
        return "does not answer"
    if answer.get("boot") == watch.begun:
        return "has not gone down yet"
    return "" if answer.get("up") is True else "answers, and is still starting"


def _lost(watch: Watch, host: Host, told: str) -> TargetUnreachable:
    return TargetUnreachable(
        f"{host.name} did not come back from its restart within {watch.timeout:g} s",
        why=f"it {told}",
        hint="look at its console; once it is up, run the same command again: it goes on behind the restart. A longer `timeout`?",
    )


def rest(planned: HostPlan, again: HostPlan, run: str, world: World) -> HostPlan:
    """What is left of a plan behind the restart: the very changes that were approved, as far as they are asked for, in their order.

    Raises PlanStale where the host does not know the run any more: then nobody knows what was done.
    """
    if again.run != run:
        raise PlanStale(
            f"{planned.host} remembers nothing of run {run} since its restart",
            why="its /var/lib/vitrify did not outlive the restart, or somebody ended the run",
            hint="plan again, look, and apply that",
        )
    found = {change.resource.address: change for change in again.changes}
    for address in found.keys() - {change.resource.address for change in planned.changes}:
        world.say("reboot", str(address), "is not as declared, and no part of this plan: the next one tells")
    changes = tuple(_approved(change, found.get(change.resource.address)) for change in planned.changes)
    return replace(planned, changes=changes, expect=again.expect, run=run)


def _approved(change: Change, now: Change | None) -> Change:
    """The change as it looks now, where it is the same wish; what is as wished by now is told to the host all the same."""
    return now if now is not None and now.resource == change.resource and now.action == change.action else change
