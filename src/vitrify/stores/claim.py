"""The exclusive right to change one server from this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vitrify.core.diagnostic import Busy


@contextmanager
def claim(path: Path, server: str) -> Iterator[None]:
    """Hold the claim; `Busy` where another process does. The kernel gives it back when its holder dies: nothing to unlock by hand."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Busy(f"somebody else is changing {server}", hint="run the command again when that has ended") from None
    try:
        yield
    finally:
        lock.release()
