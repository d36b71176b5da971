"""A command that is killed everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shop import Shop


@dataclass(frozen=True)
class Story:
    """A command, what comes before it each time, how it ends undisturbed, and what must hold at its end."""

    begin: dict[str, str]
    arrange: Callable[[Shop, int], None]
    words: tuple[str, ...]
    check: Callable[[Shop, int], None]
    ends: int = 0
    daily: tuple[str, ...] = ("",)
    """What its points begin with that it is killed at every day: the others are those of another story. A proof takes all."""
    serves: bool = False
    """Whether something serves and is well from its beginning to its end, however often it is killed."""
