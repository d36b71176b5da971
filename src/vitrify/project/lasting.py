"""Long times, as something is kept for: hours, days and years, never less than an hour."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BeforeValidator

from vitrify.project.values import refuse

_UNITS: Final = {"h": 3600, "d": 86_400, "y": 365 * 86_400}
_LASTING: Final = re.compile(r"([1-9][0-9]{0,5})([hdy])")
_LONGEST: Final = 100 * _UNITS["y"]


def _lasting(value: Any) -> float:  # noqa: ANN401  what stands in a file can be anything
    if isinstance(value, int) and not isinstance(value, bool):
        refuse("a time has a unit", f"as in {value}h, {value}d or {value}y")
    match = _LASTING.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        refuse("this is not a time to keep something for", "a whole number and h, d or y, as in 30d or 7y")
    found = int(match[1]) * _UNITS[match[2]]
    if found > _LONGEST:
        refuse("nothing is kept for so long", "at most 100y")
    return float(found)


Lasting: TypeAlias = Annotated[float, BeforeValidator(_lasting)]
"""Seconds, written as `12h`, `30d` or `7y`."""
