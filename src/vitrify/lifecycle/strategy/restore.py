"""What served before, started again where a rollout had stopped it: the way back of those that stop the old before the end."""

from __future__ import annotations

from dataclasses import replace

from vitrify.core.diagnostic import Busy, TargetFailed, TargetUnreachable, VitrifyError
from vitrify.core.instance import Instance
from vitrify.core.strategy import RECREATE
from vitrify.lifecycle.fitness import gate
from vitrify.lifecycle.launching import GRACE, addresses, own_of, spec_of
from vitrify.lifecycle.operation import Rollout
from vitrify.lifecycle.settings import from_json
from vitrify.ports import Backends

_AGAIN = ".again"
"""Behind the id of the operation that stopped them: an instance that was started again is no part of that operation."""


async def survivors(rollout: Rollout) -> tuple[Instance, ...]:
    """Instances of what served before that run still, or again; oldest first."""
    live = rollout.intended.live
    found = await rollout.site.runtime.instances(rollout.world.labels(rollout.server, live)) if live else ()
    own = rollout.operation.id
    return tuple(one for one in found if not (one.gone or one.labels.get("operation") == own or one.id in rollout.intended.out))


async def restored(rollout: Rollout) -> Backends:
    """As many as served before, healthy; nobody where nothing did. TargetFailed where they do not start any more: nothing serves then."""
    live = rollout.intended.live
    former = rollout.world.state.release(rollout.server, live) if live else None
    if former is None:
        return Backends("", ())
    if rollout.strategy == RECREATE:
        await _make_room(rollout)
    before = replace(rollout, release=former, settings=from_json(former.settings))
    try:
        there = await survivors(rollout)
        again = [await _launch(before, index) for index in range(before.settings.replicas - len(_first(there, rollout)))]
        instances = (*_first(there, rollout), *again)
        await gate(before, instances)
    except (TargetUnreachable, Busy):
        raise
    except VitrifyError as error:
        first = error.diagnostics[0]
        raise TargetFailed(
            f"release {rollout.release.number} of {rollout.server} failed, and release {live} does not start again",
            why=first.summary,
            hint="the same command tries again; `vitrify logs` shows what they wrote",
        ) from None
    return Backends(f"{rollout.set}{_AGAIN}", addresses(instances))


def _first(there: tuple[Instance, ...], rollout: Rollout) -> tuple[Instance, ...]:
    """Those that never stopped: what was started again is adopted by its id."""
    return tuple(one for one in there if one.labels.get("operation") != f"{rollout.operation.id}{_AGAIN}")


async def _make_room(rollout: Rollout) -> None:
    """Two at once would do harm: requests are held, and the new ones end, before the old ones start."""
    if rollout.settings.route and rollout.intended.back:
        await rollout.site.router.pause(rollout.server, at_most=rollout.settings.rollout.manner.pause)
    for instance in await own_of(rollout):
        if not instance.gone:
            await rollout.site.runtime.stop(instance.id, grace=GRACE)


async def _launch(before: Rollout, index: int) -> Instance:
    identity = f"{before.server}-r{before.release.number}-{before.operation.id[-8:]}-again-{index}"
    labels = {**before.labels(), "operation": f"{before.operation.id}{_AGAIN}", "instance": identity}
    return await before.site.runtime.launch(spec_of(before, before.release, before.settings, labels=labels))
