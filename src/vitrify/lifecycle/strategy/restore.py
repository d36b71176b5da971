"""What served before, started again where a rollout had stopped it: the way back of those that stop the old before the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from vitrify.core.diagnostic import Busy, TargetFailed, TargetUnreachable, VitrifyError
from vitrify.core.instance import Instance
from vitrify.lifecycle.fitness import gate
from vitrify.lifecycle.launching import GRACE, addresses, own_of, spec_of
from vitrify.lifecycle.operation import Rollout
from vitrify.lifecycle.settings import from_json
from vitrify.ports import Backends

AGAIN: Final = ".again"
"""Behind the id of the operation that stopped them: an instance that was started again is no part of that operation."""


async def survivors(rollout: Rollout) -> tuple[Instance, ...]:
    """Instances of what served before that run still, or again; oldest first."""
    live = rollout.intended.live
    found = await rollout.site.runtime.instances(rollout.world.labels(rollout.server, live)) if live else ()
    own = rollout.operation.id
    return tuple(one for one in found if not (one.gone or one.labels.get("operation") == own or one.id in rollout.intended.out))


async def restored(rollout: Rollout) -> Backends:
    """One that must never run twice, healthy again; nobody where nothing served. TargetFailed where it does not start any more: nothing
    serves then.
    """  # noqa: D205  one thought
    live = rollout.intended.live
    former = rollout.world.state.release(rollout.server, live) if live else None
    if former is None:
        return Backends("", ())
    await _make_room(rollout)
    before = replace(rollout, release=former, settings=from_json(former.settings))
    async with or_told(rollout):
        instances = await as_many(before, before.settings.replicas)
        await gate(before, instances)
    return Backends(f"{rollout.set}{AGAIN}", addresses(instances))


@asynccontextmanager
async def or_told(rollout: Rollout) -> AsyncIterator[None]:
    """Whatever is raised within, as what it means: that there is no way back for now."""
    try:
        yield
    except (TargetUnreachable, Busy):
        raise
    except VitrifyError as error:
        raise TargetFailed(
            f"release {rollout.release.number} of {rollout.server} failed, and release {rollout.intended.live} does not start again",
            why=error.diagnostics[0].summary,
            hint="the same command tries again; `vitrify logs` shows what they wrote",
        ) from None


async def as_many(before: Rollout, count: int) -> tuple[Instance, ...]:
    """So many instances of what served before: those that never stopped, and others that are started again. Adopts those of an earlier
    attempt; stops none.
    """  # noqa: D205  one thought
    first = tuple(one for one in await survivors(before) if one.labels.get("operation") != f"{before.operation.id}{AGAIN}")
    return (*first, *[await _launch(before, index) for index in range(count - len(first))])


async def _make_room(rollout: Rollout) -> None:
    """Two at once would do harm: requests are held, and the new ones end, before the old ones start."""
    if rollout.settings.route and rollout.intended.back:
        await rollout.site.router.pause(rollout.server, at_most=rollout.settings.rollout.manner.pause)
    for instance in await own_of(rollout):
        if not instance.gone:
            await rollout.site.runtime.stop(instance.id, grace=GRACE)


async def _launch(before: Rollout, index: int) -> Instance:
    identity = f"{before.server}-r{before.release.number}-{before.operation.id[-8:]}-again-{index}"
    labels = {**before.labels(), "operation": f"{before.operation.id}{AGAIN}", "instance": identity}
    return await before.site.runtime.launch(spec_of(before, before.release, before.settings, labels=labels))
