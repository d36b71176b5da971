"""How soon a server may be acted on again by itself: the ledger tells when it last was, so that no process has to remember."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from vitrify.lifecycle.serve_board import Place
from vitrify.lifecycle.world import Ledger

FIRST, LONGEST = 5.0, 300.0
"""Seconds from the end of one act to the next: doubled with each that was begun in the last hour, up to the longest."""
FORGOTTEN = 3600.0
_STRIDE = 256


def grown(count: int, *, first: float, longest: float) -> float:
    """Seconds of a pause that is doubled with each of so many attempts (1 at least), up to the longest."""
    return min(longest, first * 2.0 ** min(count - 1, 16))


@dataclass(frozen=True)
class Attempts:
    """Acts of one kind on one host of a server within the last hour: how many were begun, and when the newest began or ended."""

    count: int = 0
    last: float = 0.0

    def pause(self, *, now: float) -> float:
        """Seconds until the next one may begin, 0 for now."""
        if not self.count:
            return 0.0
        # By a clock that was set back the last one lies in the future: it is waited for once, and not until that time comes.
        ago = max(0.0, now - self.last)
        return max(0.0, grown(self.count, first=FIRST, longest=LONGEST) - ago)


def recent(ledger: Ledger, kind: str, place: Place, *, now: float) -> Attempts:
    """What the ledger tells of acts of this kind (`KIND.intended`, `.done`, `.failed`) on a host of a server."""
    count, last, end = 0, 0.0, ledger.size
    while end > 0:
        start = max(0, end - _STRIDE)
        for entry in islice(ledger.entries(start), end - start):
            at = moment(entry.at)
            if at < now - FORGOTTEN or (entry.body.get("server"), entry.body.get("host")) != place or entry.kind.rpartition(".")[0] != kind:
                continue
            count += entry.kind.endswith(".intended")
            last = max(last, at)
        oldest = next(iter(ledger.entries(start)))
        if moment(oldest.at) < now - FORGOTTEN:
            break
        end = start
    return Attempts(count, last)


def moment(text: str) -> float:
    """The time of an entry in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()
