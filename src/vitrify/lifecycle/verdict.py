"""What the ledger says of a rollout over several hosts: begun, promoted, judged, ended. What was judged once is never judged again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from vitrify.core.phase import Phase, Standing
from vitrify.ledger.entry import Entry
from vitrify.lifecycle import record
from vitrify.lifecycle.operation import Progress
from vitrify.lifecycle.world import World
from vitrify.ports import Operation

INTENDED: Final = "waves.intended"
PROMOTED: Final = "waves.promoted"
PASSED: Final = "waves.passed"
FAILED: Final = "waves.failed"
ENDED: Final = "waves.ended"


def unended(server: str, world: World) -> Entry | None:
    """The newest entry of a rollout of this server that did not come to its end; None where there is none."""
    newest = record.last(world.ledger, server=server, kinds=(INTENDED, PASSED, FAILED, ENDED))
    return newest if newest is not None and newest.kind != ENDED else None


def verdict(operation: Operation, world: World) -> str:
    """How the rollout was judged that this operation is part of: PASSED, FAILED, or "" where it was not, or there is none."""
    return next((entry.kind for entry in _told_of(operation, world, wave=wave_of(operation)) if entry.kind in (PASSED, FAILED)), "")


def promoted(operation: Operation, world: World, *, wave: str = "") -> bool | None:
    """Whether the rollout goes on from where this operation stands to its end, or (False) to its next step; None where nobody said so yet.

    `wave` is the rollout that it is about to be part of, where it is not yet.
    """
    stage = Progress.of(operation).stage
    for entry in _told_of(operation, world, wave=wave or wave_of(operation)):
        if entry.kind == PASSED:
            return True
        at, everything = entry.body.get("stage"), entry.body.get("everything") is True
        if entry.kind != PROMOTED or entry.body.get("release") != operation.release or not isinstance(at, int):
            continue
        if at == stage or (everything and at <= stage):
            return everything
    return None


def _told_of(operation: Operation, world: World, *, wave: str) -> Iterator[Entry]:
    """What the ledger says of this rollout, since the operation was begun."""
    since = operation.data.get("since")
    if wave:
        yield from (one for one in world.ledger.entries(since if isinstance(since, int) else 0) if one.body.get("operation") == wave)


def waits_on(operation: Operation, world: World) -> tuple[str, ...]:
    """The hosts on which the rollout waits for somebody that this operation is part of, where it has done its own part."""
    wave = wave_of(operation)
    if not (wave and Standing.of(operation.step).is_at(Phase.PROVEN)):
        return ()
    others = [one for one in world.state.open_operations(operation.server) if wave_of(one) == wave]
    return tuple(one.host.name for one in others if Standing.of(one.step).is_at(Phase.WAITING) and promoted(one, world) is None)


def wave_of(operation: Operation) -> str:
    """The rollout over several hosts that it is part of; "" where it stands alone."""
    return str(operation.data.get("wave", ""))


def goes_back(operation: Operation, world: World) -> bool:
    """Whether ending it means to take it back: it is part of what did not pass on all hosts."""
    return bool(wave_of(operation)) and verdict(operation, world) != PASSED
