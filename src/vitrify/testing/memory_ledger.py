"""The LedgerStore in memory: a ledger for tests, and one whose every byte a test may alter."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager


class MemoryLedgerStore:
    """Keeps `files` by path as long as it lives."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files: dict[str, bytes] = dict(files or {})
        self._turn = threading.Lock()

    def read(self, path: str) -> bytes | None:
        """The content; None where there is none."""
        return self.files.get(path)

    def write(self, path: str, content: bytes) -> None:
        """Create or replace."""
        self.files[path] = content

    def write_all(self, files: Mapping[str, bytes]) -> None:
        """Create or replace each."""
        for path, content in files.items():
            self.write(path, content)

    def publish(self, path: str, content: bytes) -> None:
        """Create or replace."""
        self.write(path, content)

    def paths(self, below: str) -> tuple[str, ...]:
        """The paths of all files in this folder, at any depth, sorted."""
        return tuple(sorted(path for path in self.files if not below or path.startswith(f"{below}/")))

    def discard(self, path: str) -> None:
        """Remove this file, or this folder with all in it."""
        for found in (path, *self.paths(path)):
            self.files.pop(found, None)

    def lock(self) -> AbstractContextManager[object]:
        """Hold the ledger against all other threads."""
        return self._turn
