"""One turn of a rolling release, on its way there or back: how many come, and which leave. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vitrify.core.instance import Instance


@dataclass(frozen=True)
class Turn:
    """What the next turn does: how many of the new ones run behind it, and which of the old ones leave."""

    new: int
    leaving: tuple[Instance, ...]
    staying: tuple[Instance, ...]


def next_turn(new: int, old: Sequence[Instance], replicas: int, *, surge: int, lacking: int) -> Turn | None:
    """The next turn, where so many new ones and these old ones run; None where nothing is left to do."""
    if new >= replicas and not old:
        return None
    then = min(replicas, new + max(0, replicas + surge - len(old) - new))
    stay = 0 if then >= replicas else min(len(old), max(0, replicas - lacking - then))
    return Turn(then, tuple(old[: len(old) - stay]), tuple(old[len(old) - stay :]))
