"""What `vitrify serve` did, one row for each turn of a duty. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from vitrify.core.digest import JSONObject

SCHEMA = "vitrify.dev/served/v1"
DONE, BUSY, UNREACHABLE, FAILED = "done", "busy", "unreachable", "failed"


@dataclass(frozen=True)
class Turn:
    """How one turn of a duty ended: done, busy (somebody else has the lease), unreachable or failed; `told` is that in words.

    `server` is "" where the duty is about no one server, `host` where it is about no one host.
    """

    duty: str
    server: str
    outcome: str
    told: str = ""
    host: str = ""


@dataclass(frozen=True)
class Served:
    """One turn of each duty."""

    turns: tuple[Turn, ...]

    def to_json(self) -> JSONObject:
        """The document of `serve --once -o json`."""
        return {"schema": SCHEMA, "turns": [{**vars(turn)} for turn in self.turns]}
