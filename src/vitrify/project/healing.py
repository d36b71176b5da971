"""The key `heal` of a server: when `vitrify serve` replaces an instance that runs and does not pass its health check."""

from __future__ import annotations

from pydantic import Field

from vitrify.core.healing import Healing
from vitrify.project.part import Part
from vitrify.project.values import Duration


class HealPart(Part):
    """After how many looks that fail in a row, how far apart, and how often within an hour at most."""

    after: int = Field(default=3, ge=1, le=100)
    pause: Duration = 5.0
    limit: int = Field(default=5, ge=0, le=100)


def healing(part: HealPart) -> Healing:
    """What the part says."""
    return Healing(part.after, part.pause, part.limit)
