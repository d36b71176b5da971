"""When an instance that runs and does not pass its health check is replaced by itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Healing:
    """`after` looks in a row fail, `pause` seconds apart; at most `limit` replacements are begun within an hour, none where it is 0."""

    after: int = 3
    pause: float = 5.0
    limit: int = 5
