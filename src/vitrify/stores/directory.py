"""A ledger's files in a folder of this machine: each written atomically and durably, readable by their owner alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vitrify.core.diagnostic import Busy, UsageInvalid, VitrifyError
from vitrify.onhost.record import sync_folder

_LOCK = ".lock"
_NEW = ".new"
PATIENCE = 30.0
"""Seconds to wait for another process that appends."""


@dataclass(frozen=True)
class DirectoryLedgerStore:
    """The LedgerStore on a folder, which is made when first written to. `patience` in seconds."""

    folder: Path
    patience: float = PATIENCE

    def read(self, path: str) -> bytes | None:
        """The content of a file; None where there is none (a folder in its place is none, too)."""
        try:
            return self._at(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise _failed(f"the ledger's {path} cannot be read", error, self.folder) from None

    def write(self, path: str, content: bytes) -> None:
        """Create or replace a file: the whole new content is on disk under its name once this returns."""
        self.write_all({path: content})

    def write_all(self, files: Mapping[str, bytes]) -> None:
        """Create or replace files, in this order: all of them are on disk under their names once this returns.

        Folders are synced last: the first sync commits what was renamed in all of them, and the others find it done.
        """
        for path, content in files.items():
            self.publish(path, content)
        for folder in dict.fromkeys(self._at(path).parent for path in files):
            with _told(f"the ledger's {next(iter(files))} cannot be written", self.folder):
                sync_folder(str(folder))

    def publish(self, path: str, content: bytes) -> None:
        """Create or replace a file, of which nobody ever sees a part; a power cut may still bring back the one before."""
        target = self._at(path)
        with _told(f"the ledger's {path} cannot be written", self.folder):
            _make_folders(target.parent)
            new = target.with_name(f".{target.name}{_NEW}")
            # One fixed name, since the lock admits one writer: what a killed one left is written over.
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            new.replace(target)

    def paths(self, below: str) -> tuple[str, ...]:
        """The paths of all files in this folder of the ledger, at any depth, sorted; its lock and unfinished files left out."""
        start = str(self._at(below) if below else self.folder)
        # By slices of strings: a Path for each of the files would cost an append more than its writes do.
        ahead = len(str(self.folder)) + 1
        found: list[str] = []
        for folder, _, names in os.walk(start):
            within = f"{folder[ahead:]}/" if len(folder) > ahead else ""
            found += [within + name for name in names if name[0] != "." or not _is_ours(within + name)]
        return tuple(sorted(found))

    def discard(self, path: str) -> None:
        """Remove a file, or a folder with all in it; nothing there is fine."""
        target = self._at(path)
        try:
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
        except OSError as error:
            raise _failed(f"the ledger's {path} cannot be removed", error, self.folder) from None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the ledger against all other writers; the kernel lets go of it when this process ends, however it ends."""
        import filelock

        try:
            _make_folders(self.folder)
            held = filelock.FileLock(self.folder / _LOCK, timeout=self.patience, mode=0o600)
            held.acquire()
        except filelock.Timeout:
            raise Busy(
                f"another process is writing to the ledger in {self.folder}",
                why=f"it has been for {self.patience:g} s",
                hint="run the same command again when it is done",
            ) from None
        except OSError as error:
            raise _failed("the ledger cannot be locked", error, self.folder) from None
        try:
            yield
        finally:
            held.release()

    def _at(self, path: str) -> Path:
        parts = path.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise UsageInvalid(f"{path!r} is no path of a ledger")
        return self.folder.joinpath(*parts)


def _is_ours(path: str) -> bool:
    name = path.rpartition("/")[2]
    return path == _LOCK or (name.startswith(".") and name.endswith(_NEW))


def _make_folders(folder: Path) -> None:
    """Create a folder and those above it, each durably: a power cut must not lose the way to a file that was synced."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(str(folder.parent))


@contextmanager
def _told(summary: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _failed(summary, error, folder) from None


def _failed(summary: str, error: OSError, folder: Path) -> VitrifyError:
    return VitrifyError(summary, why=error.strerror or type(error).__name__, hint=f"see that {folder} is writable and its disk not full")
