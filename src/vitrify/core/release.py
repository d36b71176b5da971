"""What is remembered of a server's releases: each of them, the rollout under way, and which is live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vitrify.core.digest import JSONObject

OVER = frozenset({"discarded", "aborted"})
"""States of a release that nothing goes back to."""


@dataclass(frozen=True)
class Release:
    """One image plus run settings put forward for one server; numbered from 1, never edited but for its `state` and `notes`.

    `state` is prepared, live, warm, stopped, discarded or aborted. `resources` maps address -> digest of the wish.
    """

    server: str
    number: int
    image: str
    settings: JSONObject
    resources: Mapping[str, str]
    created_at: float
    state: str
    notes: frozenset[str] = frozenset()
    """What became of its migration: expanded, contracting, contracted, skipped."""

    @property
    def over(self) -> bool:
        """Whether nothing goes back to it any more."""
        return self.state in OVER


@dataclass(frozen=True)
class Operation:
    """One rollout under way: `kind` release, rollback or replace; `step` the last one whose outcome is durable."""

    id: str
    server: str
    kind: str
    release: int
    step: str
    data: JSONObject


@dataclass(frozen=True)
class Slots:
    """Which release is live and which was before it; None where there is none."""

    live: int | None = None
    previous: int | None = None
