"""Tells how far transfers are: often enough to be seen moving, seldom enough to be read."""

from __future__ import annotations

import threading
from collections.abc import Callable

from vitrify.core.event import Emit, Event, Stage

_SECONDS = 0.5
"""Between two tellings of bytes."""


class Progress:
    """What all transfers of one command have done together. Several threads may tell it at once."""

    def __init__(self, what: str, subject: str, emit: Emit, *, monotonic: Callable[[], float]) -> None:
        self._what, self._subject, self._emit, self._monotonic = what, subject, emit, monotonic
        self._lock = threading.Lock()
        self._bytes = self._total = 0
        self._told = monotonic()

    def expect(self, count: int) -> None:
        """So many bytes more are to be moved."""
        with self._lock:
            self._total += count

    def moved(self, count: int) -> None:
        """So many bytes were moved; a negative number where they have to be moved again."""
        with self._lock:
            self._bytes += count
            now = self._monotonic()
            if now - self._told >= _SECONDS:
                self._told = now
                self._tell(Stage.PROGRESS, f"{_mib(self._bytes)} of {_mib(self._total)} MiB")

    def done(self, subject: str, detail: str, size: int) -> None:
        """One blob is where it should be."""
        with self._lock:
            self._emit(Event(f"{self._what}.blob", Stage.DONE, subject[:19], detail, {"digest": subject, "bytes": size}))

    def _tell(self, stage: Stage, detail: str) -> None:
        self._emit(Event(self._what, stage, self._subject, detail, {"bytes": self._bytes, "total": self._total}))


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.1f}"
