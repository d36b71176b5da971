"""What a watch tells: where it stands, and each difference once while it is there. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vitrify.core.digest import JSONObject
from vitrify.core.drift import Finding

SCHEMA = "vitrify.dev/watch/v1"


@dataclass(frozen=True)
class Seen:
    """One finding as it is told while a watch goes on."""

    finding: Finding
    before: bool = False
    """Whether it was there before anybody watched: then nobody knows who."""

    def to_json(self) -> JSONObject:
        """One line of `watch -o ndjson`."""
        return {"schema": SCHEMA, "before": self.before, "finding": self.finding.to_json()}


Tell = Callable[[Seen], None]
"""Where findings go, at once."""
