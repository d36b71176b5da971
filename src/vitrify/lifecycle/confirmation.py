"""Changes that could shut us out: the host takes them back by itself unless somebody who logs in anew says that they stand."""

from __future__ import annotations

from collections.abc import Iterable

from vitrify.core.access import cuts
from vitrify.core.declaration import Host
from vitrify.core.diagnostic import Busy, TargetUnreachable, VitrifyError
from vitrify.core.difference import Change
from vitrify.core.digest import JSONObject
from vitrify.core.event import Stage
from vitrify.core.resource import Kinds
from vitrify.lifecycle.world import World

PAUSE = 1.0
"""Seconds between two attempts to get in."""


def cutting(changes: Iterable[Change], kinds: Kinds) -> tuple[str, ...]:
    """Each change that could shut us out, with the reason."""
    found = ((change.resource.address, cuts(change, kinds[change.resource.address.kind])) for change in changes)
    return tuple(f"{address} could shut us out ({why})" for address, why in found if why)


def allowed(changes: Iterable[Change], host: Host, world: World) -> float:
    """Seconds that the host shall wait for a confirmation; 0 where nothing can cut the way to it, or there is none."""
    return world.dead_man if host.is_remote and cutting(changes, world.kinds) else 0.0


async def confirmed(run: str, scope: JSONObject, host: Host, world: World) -> None:
    """Log in anew and let the run stand; `TargetUnreachable` where that is not possible in time: then it is taken back."""
    until = world.clock.monotonic() + world.dead_man
    while True:
        try:
            async with world.session_anew(host) as session:
                answer = await session.call("dead_man.confirm", {"scope": scope, "run": run, **world.tenure.presented()})
        except (TargetUnreachable, Busy) as error:
            if world.clock.monotonic() + PAUSE >= until:
                raise _taken_back(run, host, error) from None
            await world.clock.sleep(PAUSE)
            continue
        if answer.get("stands") is not True:
            raise _taken_back(run, host, None)
        world.say("confirm", host.name, f"run {run} stands: a new connection was let in", stage=Stage.DONE)
        return


def _taken_back(run: str, host: Host, error: VitrifyError | None) -> TargetUnreachable:
    why = f"no new connection was let in: {error.diagnostics[0].summary}" if error else "it was not confirmed in time"
    return TargetUnreachable(
        f"{host.name} takes run {run} back by itself",
        why=why,
        hint="mend what shuts the door (the plan names it) and apply again; `vitrify status` tells when the host answers",
    )
