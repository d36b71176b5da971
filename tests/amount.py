"""How many examples a test tries: few in the daily lanes, all of them in `./run prove`."""

from __future__ import annotations

import os


def amount(name: str, *, daily: int) -> int:
    """N for the proof `name`: `daily`, unless `./run prove` (or a person) sets VITRIFY_N_<NAME>, with `_` for `-`."""
    return int(os.environ.get(f"VITRIFY_N_{name.upper().replace('-', '_')}", daily))
