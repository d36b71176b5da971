"""How many examples a test tries: few in the daily lanes, all of them in `./run prove`, in parts where that takes long."""

from __future__ import annotations

import os


def amount(name: str, *, daily: int) -> int:
    """N for the proof `name`: `daily`, unless `./run prove` (or a person) sets VITRIFY_N_<NAME>."""
    return int(os.environ.get(f"VITRIFY_N_{name.upper()}", daily))


def part() -> int:
    """Which of its parts a proof is at, from 1: each has a seed of its own. 1 where there is no proof."""
    return int(os.environ.get("VITRIFY_PART", "1"))
