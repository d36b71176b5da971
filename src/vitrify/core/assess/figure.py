"""A number that was measured, or why there is none: a figure is never invented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from vitrify.core.digest import JSONObject


@dataclass(frozen=True)
class Known:
    """What was measured. `times` is how often; `longest` the greatest of them, where there were several."""

    value: float
    times: int = 1
    longest: float | None = None
    told: str = ""
    """What else is to be known of it, in words."""

    def to_json(self) -> JSONObject:
        """As a document has it; numbers with at most four digits behind the point."""
        more: JSONObject = {} if self.longest is None else {"longest": round(self.longest, 4)}
        return {"value": round(self.value, 4), "times": self.times, **more, **({"told": self.told} if self.told else {})}


@dataclass(frozen=True)
class Unknown:
    """Nobody measured it: why, as the end of `not known, because`."""

    why: str

    def to_json(self) -> JSONObject:
        """As a document has it."""
        return {"value": None, "why": f"not known, because {self.why}"}


Figure = Known | Unknown


def middle(values: Sequence[float], *, otherwise: str) -> Figure:
    """The middle one of these; `otherwise` is why there is none."""
    if not values:
        return Unknown(otherwise)
    return Known(median(values), len(values), max(values) if len(values) > 1 else None)
