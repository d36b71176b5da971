"""What many durations come to."""

from __future__ import annotations

import math
from typing import Optional, Sequence


def within(durations: Sequence[float], percent: int) -> Optional[float]:
    """The shortest time in which so many of a hundred were done; None of none."""
    if not durations:
        return None
    return sorted(durations)[math.ceil(len(durations) * percent / 100) - 1]
