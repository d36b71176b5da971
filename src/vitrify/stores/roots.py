"""Keeps unpacked layers, on which other layers are baked: each made once, used by many, and thrown away without harm."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from vitrify.core.digest import PLAIN
from vitrify.onhost.removal import remove_tree

MOST: Final = 16
"""How many are kept; of more, those that nobody used for longest go."""

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Roots:
    """Folders by name, each put in place in one rename. Nothing in them is synced, so none is believed after a restart."""

    def __init__(self, folder: Path, *, boot: Path = _BOOT) -> None:
        self._folder = folder
        self._boot = boot

    @contextmanager
    def held(self, name: str) -> Iterator[Path | None]:
        """The folder of this name, which stays while it is held; None where there is none of this boot."""
        lock = self._lock(name)
        try:
            yield self._place(name) if lock is not None else None
        finally:
            if lock is not None:
                os.close(lock)

    def keep(self, made: Path, name: str) -> None:
        """Put a finished folder in its place, by rename; where another was quicker, theirs stays and this one is thrown away."""
        place = self._place(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if place.exists():
                remove_tree(str(made))
                return
            made.rename(place)
            self._clear(but=place)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _place(self, name: str) -> Path:
        return self._folder / self._boot.read_text(encoding="ascii").strip() / name.removeprefix(PLAIN)

    def _lock(self, name: str) -> int | None:
        """A shared hold on the folder, which keeps others from clearing it."""
        place = self._place(name)
        try:
            lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        fcntl.flock(lock, fcntl.LOCK_SH)
        with suppress(FileNotFoundError):
            if os.fstat(lock).st_ino == place.stat().st_ino:
                os.utime(lock)
                return lock
        os.close(lock)
        return None

    def _clear(self, *, but: Path) -> None:
        """Remove what another boot left, and beyond the most the oldest that nobody holds."""
        for boot in self._folder.iterdir():
            if boot.is_dir() and boot != but.parent:
                remove_tree(str(boot))
        found = [(entry.stat().st_mtime_ns, entry) for entry in but.parent.iterdir() if entry != but and _is_whole(entry)]
        for _, entry in sorted(found, reverse=True)[MOST - 1 :]:
            _clear_unheld(entry)
        for entry in but.parent.iterdir():
            if not _is_whole(entry):
                _clear_unheld(entry)


def _is_whole(entry: Path) -> bool:
    return not entry.name.endswith(".gone")


def _clear_unheld(entry: Path) -> None:
    """Take a folder out of reach, then remove it: nobody finds half of one."""
    with suppress(FileNotFoundError):
        lock = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            gone = entry if not _is_whole(entry) else entry.rename(entry.with_name(f"{entry.name}.gone"))
            remove_tree(str(gone))
        except BlockingIOError:
            return
        finally:
            os.close(lock)
