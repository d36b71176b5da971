"""The way back of a rollout: what served before serves again, then what is new ends and leaves nothing.

What was done is asked of the router and of what runs, not remembered. Once it is begun a rollout does not go forward any more: the same
command ends the way back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from vitrify.core.diagnostic import Busy, PreviousStillServing, TargetUnreachable, VitrifyError
from vitrify.core.phase import Phase
from vitrify.core.strategy import RECREATE, ROLLING
from vitrify.lifecycle import preview
from vitrify.lifecycle.launching import end, kept_of, own_of
from vitrify.lifecycle.operation import SPOKEN, Rollout, moved
from vitrify.lifecycle.strategy.restore import restored
from vitrify.lifecycle.strategy.rolling_back import rolled_back
from vitrify.ports import Backends


@asynccontextmanager
async def or_back(rollout: Rollout, *errors: type[VitrifyError]) -> AsyncIterator[None]:
    """Whatever of these errors is raised within: `PreviousStillServing`, once everything is as it was before."""
    try:
        yield
    except (TargetUnreachable, Busy):
        raise  # nobody is there to end anything, or it is somebody else's by now: the same command goes on with what is left
    except errors as error:
        await take_back(rollout, reason=error.diagnostics[0].summary)
        raise still_serving(rollout, error) from None


async def take_back(rollout: Rollout, *, reason: str) -> None:
    """Undo as much as was done; traffic first, where any was moved."""
    # A run before this one may have switched and been killed: then traffic must go back before anything ends.
    await (switch_back if await _touched(rollout) else abort)(rollout, reason=reason)


async def _touched(rollout: Rollout) -> bool:
    """Whether anything was done to what serves, or to where requests go."""
    standing = rollout.standing
    if standing.phase is Phase.ABORTED or (standing.phase is Phase.PREPARED and rollout.strategy in (ROLLING, RECREATE)):
        return False
    if standing.phase is Phase.SWITCHED_BACK or rollout.strategy in (ROLLING, RECREATE):
        return True
    beside = await rollout.site.router.beside(rollout.server) if rollout.settings.route else None
    return beside is not None or await moved(rollout.now(), rollout.settings, rollout.site)


async def switch_back(rollout: Rollout, *, reason: str) -> None:
    """The release failed after it got requests: what served before gets all of them again, then the new instances end."""
    route, router, progress = rollout.settings.route, rollout.site.router, rollout.progress
    async with rollout.step("switch_back", progress=replace(progress, reason=progress.reason or reason)):
        back = await _before(rollout)
        if route and back.addresses:
            await router.switch(rollout.server, to=back)
        elif route:  # nothing served before: the router must not lead to addresses that others will get
            await router.release(route, server=rollout.server)
    rollout.note("switch.back", reason=reason)
    await abort(rollout, reason=reason)


async def _before(rollout: Rollout) -> Backends:
    """What served before; started again where this rollout stopped any of it."""
    if rollout.strategy == ROLLING:
        return await rolled_back(rollout)
    if rollout.strategy == RECREATE:
        return await restored(rollout)
    return Backends(rollout.intended.back_set, rollout.intended.back)


async def abort(rollout: Rollout, *, reason: str) -> None:
    """The new instances end and leave nothing; traffic is where it was before. Warm ones get a deadline again."""
    runtime, progress = rollout.site.runtime, rollout.progress
    async with rollout.step("abort", progress=replace(progress, reason=progress.reason or reason)):
        await preview.back(rollout)
        for instance in await own_of(rollout):
            await end(rollout, instance, grace=2.0)
        if rollout.release.number != rollout.intended.live:
            for kept in await kept_of(rollout):
                await runtime.stop_later(kept.id, at=rollout.world.clock.now() + rollout.settings.rollout.keep_warm)
    rollout.note(f"{rollout.operation.kind}.failed", reason=reason)
    # What never was in service on this host is over there; what was, before it was gone back from, stays what it is.
    rollout.close(slots=None, states={rollout.release.number: "aborted"} if rollout.release.state == "prepared" else {})


_HINTS = {
    "release": "mend the declaration and apply again",
    "join": "mend the host and apply again: the others serve on",
    "replace": "`vitrify status` shows what runs; apply tries again",
    "rollback": "`vitrify releases` lists what else can be rolled back to, with --to",
}


def still_serving(rollout: Rollout, error: VitrifyError) -> PreviousStillServing:
    """What is told once it is taken back."""
    live = rollout.intended.live
    serving = f"release {live} still serves" if live else "nothing served before, and nothing does now"
    return PreviousStillServing(
        f"{SPOKEN[rollout.operation.kind]} of {rollout.server} release {rollout.release.number} failed; {serving}",
        why="; ".join(filter(None, (error.diagnostics[0].summary, error.diagnostics[0].why))),
        hint=_HINTS[rollout.operation.kind],
    )
