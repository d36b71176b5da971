"""What the ledger says of a rollout over several hosts: begun, judged, ended. What was judged once is never judged again."""

from __future__ import annotations

from typing import Final

from vitrify.ledger.entry import Entry
from vitrify.lifecycle import record
from vitrify.lifecycle.world import World
from vitrify.ports import Operation

INTENDED: Final = "waves.intended"
PASSED: Final = "waves.passed"
FAILED: Final = "waves.failed"
ENDED: Final = "waves.ended"


def unended(server: str, world: World) -> Entry | None:
    """The newest entry of a rollout of this server that did not come to its end; None where there is none."""
    newest = record.last(world.ledger, server=server, kinds=(INTENDED, PASSED, FAILED, ENDED))
    return newest if newest is not None and newest.kind != ENDED else None


def verdict(operation: Operation, world: World) -> str:
    """How the rollout was judged that this operation is part of: PASSED, FAILED, or "" where it was not, or there is none."""
    wave, since = wave_of(operation), operation.data.get("since")
    if not wave:
        return ""
    judged = (entry for entry in world.ledger.entries(since if isinstance(since, int) else 0) if entry.kind in (PASSED, FAILED))
    return next((entry.kind for entry in judged if entry.body.get("operation") == wave), "")


def wave_of(operation: Operation) -> str:
    """The rollout over several hosts that it is part of; "" where it stands alone."""
    return str(operation.data.get("wave", ""))


def goes_back(operation: Operation, world: World) -> bool:
    """Whether ending it means to take it back: it is part of what did not pass on all hosts."""
    return bool(wave_of(operation)) and verdict(operation, world) != PASSED
