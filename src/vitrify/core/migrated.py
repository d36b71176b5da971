"""The contract that a release owes, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Owed:
    """A contract that was not carried out. Nothing could be rolled back behind it: before `ends_at` (epoch) that is not `due`."""

    server: str
    release: int
    commands: tuple[str, ...]
    ends_at: float
    due: bool
    begun: bool
    """Whether it was begun, and did not come to its end."""


@dataclass(frozen=True)
class Contracted:
    """A contract that was carried out, or passed over for good."""

    server: str
    release: int
    commands: tuple[str, ...]
    seconds: float = 0.0
    skipped: bool = False
