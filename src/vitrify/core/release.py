"""What is remembered of a server's releases: each of them, the rollout under way, and which is live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vitrify.core.declaration import Host
from vitrify.core.digest import JSONObject

OVER = frozenset({"discarded", "aborted"})
"""States of a release that nothing goes back to."""
STATES = ("live", "warm", "prepared", "stopped", "aborted", "discarded")
"""What a release is on one host. Of several hosts, the state that comes first here is said of the release as a whole."""


@dataclass(frozen=True)
class Release:
    """One image plus run settings for one server, on all its hosts; numbered from 1, never edited but for `state` and `notes`.

    `state` is one of `STATES`: on the host that was asked about, or of all hosts the first of them. `resources` maps address -> digest
    of the wish.
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
    """One rollout under way on one host: `kind` release, rollback or replace; `step` the last one whose outcome is durable."""

    id: str
    server: str
    host: Host
    kind: str
    release: int
    step: str
    data: JSONObject


def foremost(states: Iterable[str]) -> str:
    """What is said of a release that is in these states on its hosts."""
    return min(states, key=STATES.index)


@dataclass(frozen=True)
class Slots:
    """Which release is live on a host and which was before it; None where there is none."""

    live: int | None = None
    previous: int | None = None
