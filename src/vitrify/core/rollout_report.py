"""What is told of a rollout that has not ended, and of the way back from one that has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WayBack:
    """What a rollback would take: `tier` says how far away the release is."""

    server: str
    live: int | None
    release: int
    tier: str = ""
    """warm, stopped or image; empty where nobody looked."""
    launch: int = 0
    """How many instances have to be started."""
    left: float | None = None
    """For how many seconds the others run on; None where nothing says."""
    ends: int | None = None
    """The release of a rollout that has not ended, and is ended first; None where all have."""


@dataclass(frozen=True)
class RolloutStatus:
    """A rollout that has not ended."""

    release: int
    kind: str
    strategy: str
    phase: str
    """Where it stands, in words."""
    waits: str = ""
    """What it waits for, in words."""
    percent: int | None = None
    """Of the requests that go to what is next; None where the router was not told of any part."""
    lacking: int = 0
    """How many of its instances do not run that should by now."""
