"""How soon a server may be acted on again by itself: the ledger tells when it last was, so that no process has to remember."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from vitrify.lifecycle.world import Ledger

FIRST, LONGEST = 5.0, 300.0
"""Seconds from one act to the next: doubled with each in the last hour, up to the longest."""
FORGOTTEN = 3600.0
_STRIDE = 256


def recent(ledger: Ledger, kind: str, server: str, *, now: float) -> tuple[float, ...]:
    """When (seconds since the epoch) entries of this kind about a server were written in the last hour, oldest first."""
    found: list[float] = []
    end = ledger.size
    while end > 0:
        start = max(0, end - _STRIDE)
        entries = list(islice(ledger.entries(start), end - start))
        found = [moment(one.at) for one in entries if one.kind == kind and one.body.get("server") == server] + found
        if moment(entries[0].at) < now - FORGOTTEN:
            break
        end = start
    return tuple(at for at in found if at >= now - FORGOTTEN)


def moment(text: str) -> float:
    """The time of an entry in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def pause(acts: Sequence[float], *, now: float) -> float:
    """Seconds until the next act may begin, 0 for now: the more there were of late, the longer."""
    if not acts:
        return 0.0
    # By a clock that was set back the last one lies in the future: it is waited for once, and not until that time comes.
    ago = max(0.0, now - acts[-1])
    return max(0.0, min(LONGEST, FIRST * 2.0 ** min(len(acts) - 1, 16)) - ago)
