"""What the verifier found not to hold, in words that are safe to print."""

from __future__ import annotations

_MOST = 100


class Problems:
    """What does not hold, in the order found; stops collecting at a hundred."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, text: str) -> None:
        """Note one."""
        if len(self.found) < _MOST:
            self.found.append(text)
        elif not self.full:
            self.found.append("and more: the first hundred problems are named")

    @property
    def full(self) -> bool:
        """Whether so many were found that looking on is pointless."""
        return len(self.found) > _MOST


def shown(text: str) -> str:
    """Text of unknown origin, made safe for a terminal."""
    return text if text.isascii() and text.isprintable() else ascii(text)[1:-1]
