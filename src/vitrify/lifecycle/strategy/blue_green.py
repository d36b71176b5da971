"""All at once: what is new stands beside what is old, gets all requests in one moment, and what is old stays warm."""

from __future__ import annotations

from vitrify.core.phase import TRAFFIC
from vitrify.lifecycle.operation import Rollout
from vitrify.lifecycle.strategy.forward import Forward, gated, promoted, switched, waiting


async def bring(rollout: Rollout) -> Forward:
    """Launch, gate, wait where that is wished for, switch, prove."""
    instances = await gated(rollout)
    if must_be_promoted(rollout) and not await promoted(rollout):
        return waiting(rollout, instances)
    return await switched(rollout, instances)


def must_be_promoted(rollout: Rollout) -> bool:
    """Whether somebody is to say that it may have requests at all, and nobody's requests were moved yet."""
    return rollout.settings.rollout.manner.manual and rollout.untried and rollout.standing.phase not in TRAFFIC
