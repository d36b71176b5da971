"""What `vitrify serve` saw last: a view that is empty when a process begins, and that nothing is decided by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from vitrify.core.instance import Instance
from vitrify.core.report import LeaseView
from vitrify.core.served import DONE, Turn

Place = tuple[str, str]
"""A server and the name of a host; either may be ""."""


@dataclass
class Board:
    """One place to look at. Each duty writes its own part; the metrics are read off it.

    `started_at` and `beat_at` are seconds since the epoch: when the process began, and when it last went through what is due.
    """

    started_at: float
    beat_at: float = 0.0
    valid: bool = True
    """Whether the declaration could be read as it is now."""
    instances: dict[Place, tuple[Instance, ...]] = field(default_factory=dict)
    ill: dict[Place, dict[str, str]] = field(default_factory=dict)
    """Place -> instance or host -> why it does not pass its health check, "" where it does."""
    changed: dict[tuple[Place, str], tuple[float, ...]] = field(default_factory=dict)
    """Place and instance or host -> when, of late, it began to fail or to pass."""
    leases: dict[str, tuple[LeaseView, ...]] = field(default_factory=dict)
    turns: Counter[tuple[str, Place, str]] = field(default_factory=Counter)
    """(duty, place, outcome) -> how often."""
    last: dict[tuple[str, Place], tuple[Turn, float, float]] = field(default_factory=dict)
    """(duty, place) -> its last turn, when that ended, and how many seconds it took."""
    done_at: dict[tuple[str, Place], float] = field(default_factory=dict)
    failing: dict[tuple[str, Place], str] = field(default_factory=dict)
    """(duty, place) -> how its last turn failed."""

    def last_turns(self) -> Iterator[tuple[Turn, float, float]]:
        """Each of them, duty by duty."""
        return (self.last[key] for key in sorted(self.last))

    def turned(self, turn: Turn, *, at: float, seconds: float) -> Turn | None:
        """A turn of a duty ended; gives the turn before it."""
        key = (turn.duty, (turn.server, turn.host))
        before = self.last.get(key)
        self.last[key] = (turn, at, seconds)
        self.turns[(*key, turn.outcome)] += 1
        if turn.outcome == DONE:
            self.done_at[key] = at
            self.failing.pop(key, None)
        else:
            self.failing[key] = f"{turn.outcome}: {turn.told}"
        return before[0] if before else None

    def keep_to(self, known: AbstractSet[tuple[str, Place]]) -> None:
        """Forget what no job (its duty and place) is about any more: it left the declaration, or its host."""
        places = {place for _, place in known}
        self.changed = {(place, name): at for (place, name), at in self.changed.items() if place in places}
        for seen in (self.instances, self.ill):
            for place in set(seen) - places:
                del seen[place]
        for server in set(self.leases) - {server for server, _ in places}:
            del self.leases[server]
        for key in {*self.failing, *self.done_at, *self.last} - known:
            self.failing.pop(key, None)
            self.done_at.pop(key, None)
            self.last.pop(key, None)
