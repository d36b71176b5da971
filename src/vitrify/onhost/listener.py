"""What listens by a descriptor on which the kernel tells which paths were touched: how it is read, and how it ends."""

from __future__ import annotations

import ctypes
import os
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Iterator, Tuple

Heard = Tuple[str, str]
"""A path, and what was done to it; ("", "lost") where the kernel dropped some."""


class Listener(ABC):
    """Listens from the start to `close`; OSError where it cannot, or may not."""

    descriptor = -1
    room = 1 << 16
    """Bytes that are read at once."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def hear(self) -> Iterator[Heard]:
        """All that waits."""
        with suppress(BlockingIOError):
            while True:
                yield from self._apart(os.read(self.descriptor, self.room))

    def close(self) -> None:
        """Stop listening."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    @abstractmethod
    def _apart(self, data: bytes) -> Iterator[Heard]:
        """What the kernel told at once, event by event."""

    @staticmethod
    def _checked(found: int) -> int:
        if found < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return found
