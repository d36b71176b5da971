"""The folder in which a target remembers: for root alone, replaced whole or not at all, held by one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Callable, Dict, Iterator, Mapping, Optional, Sequence, Tuple

from vitrify.core.diagnostic import Busy, Denied, IntegrityFailed, TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost.faults import told
from vitrify.onhost.files import SYNCED_ONE_BY_ONE, TEMPORARY, sync_all, write
from vitrify.onhost.record import sync_file, sync_folder

FORMAT = 1
PATIENCE = 5.0
"""Seconds to wait for the lock: a payload whose caller was killed just ends the change it is at."""
_OWN = os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Holder:
    """Who holds a memory, for whoever has to wait."""

    by: str
    run: str


class Memory:
    """One memory folder; `within` is the root that it must lie beneath, whatever links somebody planted in there."""

    def __init__(self, folder: str, *, within: str) -> None:
        self.folder = folder
        self._within = within

    def path(self, *names: str) -> str:
        """A place in the folder."""
        return os.path.join(self.folder, *names)

    def there(self) -> bool:
        """Whether anything was ever remembered here. Refuses a folder that somebody else could have prepared."""
        with told(f"the memory {self.folder} cannot be read"):
            try:
                status = os.lstat(self.folder)
            except (FileNotFoundError, NotADirectoryError):
                return False
            owners = (0, os.geteuid(), os.stat(self._within).st_uid)
            if not (stat.S_ISDIR(status.st_mode) and self._inside() and status.st_uid in owners):
                raise self._strange()
            return True

    def _inside(self) -> bool:
        top, real = os.path.realpath(self._within), os.path.realpath(self.folder)
        return top == "/" or real.startswith(f"{top}/")

    def _strange(self) -> Denied:
        return Denied(
            f"{self.folder} is not to be trusted as vitrify's memory",
            why="it is not a folder of ours, or a link leads out of the target",
            hint="find out who put it there, take it away, and run the same command again",
        )

    def prepare(self) -> None:
        """Make the folder, readable by its owner alone."""
        with told(f"the memory {self.folder} cannot be created"):
            if not self.there():
                if not self._inside():
                    raise self._strange()
                os.makedirs(os.path.dirname(self.folder), mode=0o755, exist_ok=True)
                os.mkdir(self.folder, 0o700)
            if os.lstat(self.folder).st_uid == os.geteuid():
                os.chmod(self.folder, 0o700)
            for name in ("runs", "before"):
                with suppress(FileExistsError):
                    os.mkdir(self.path(name), 0o700)

    def read(self, name: str) -> Optional[JSONObject]:
        """A JSON file; None where there is none. One from a newer vitrify is refused."""
        content = self.content(name)
        if content is None:
            return None
        try:
            data = json.loads(content)
        except ValueError as error:
            raise damaged(self.path(name), str(error)) from None
        if not isinstance(data, dict):
            raise damaged(self.path(name), "it is not an object")
        refuse_newer(data, self.path(name))
        return data

    def content(self, *names: str) -> Optional[bytes]:
        """The bytes of a file in here; None where there is none."""
        path = self.path(*names)
        with told(f"{path} cannot be read"):
            try:
                descriptor = os.open(path, os.O_RDONLY | _OWN)
            except FileNotFoundError:
                return None
            with open(descriptor, "rb") as file:
                return file.read()

    def write(self, name: str, data: Mapping[str, JSON]) -> None:
        """Replace a JSON file in one rename; durable once this returns."""
        text = json.dumps({"format": FORMAT, **data}, sort_keys=True, separators=(",", ":"))
        self.put((name,), lambda descriptor: write(descriptor, text.encode()))

    def remove(self, name: str) -> None:
        """Take a file away; nothing there is fine."""
        path = self.path(name)
        with told(f"{path} cannot be removed"), suppress(FileNotFoundError):
            os.unlink(path)

    def put(self, names: Tuple[str, ...], fill: Callable[[int], None]) -> None:
        """Replace a file in one rename; durable once this returns."""
        path = self.path(*names)
        folder, name = os.path.split(path)
        temporary = os.path.join(folder, TEMPORARY + name)
        with told(f"{path} cannot be written"):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _OWN, 0o600)
            try:
                fill(descriptor)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, path)
            sync_folder(folder)

    def lay(self, folder: str, name: str, fill: Callable[[int], None]) -> None:
        """Write a new file of a folder in here under another name: it has its own, and is durable, once it was `settled`."""
        temporary = self.path(folder, TEMPORARY + name)
        with told(f"{temporary} cannot be written"):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _OWN, 0o600)
            try:
                fill(descriptor)
            finally:
                os.close(descriptor)

    def settle(self, folder: str, names: Sequence[str]) -> None:
        """Make what was laid durable, all at once, and give it its names."""
        place = self.path(folder)
        with told(f"{place} cannot be written"):
            if len(names) > SYNCED_ONE_BY_ONE:
                sync_all(place)
            else:
                for name in names:
                    sync_file(os.path.join(place, TEMPORARY + name))
            for name in names:
                os.replace(os.path.join(place, TEMPORARY + name), os.path.join(place, name))
            if names:
                sync_folder(place)

    @contextmanager
    def held(self, holder: Holder, clock: Callable[[], float], *, patience: float = PATIENCE) -> Iterator[None]:
        """Be the only process that changes this target; given back even by a process that is killed."""
        self.prepare()
        path = self.path("lock")
        with told(f"{path} cannot be locked"):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _OWN, 0o600)
        try:
            _lock(descriptor, patience)
            note: Dict[str, JSON] = {"pid": os.getpid(), "since": int(clock()), "by": holder.by, "run": holder.run}
            with told(f"{path} cannot be written"):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(note).encode(), 0)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise _busy(os.pread(descriptor, 4096, 0)) from None
            time.sleep(0.05)
        else:
            return


def _busy(note: bytes) -> Busy:
    try:
        holder = json.loads(note)
    except ValueError:
        holder = {}
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(int(holder.get("since", 0))))
    return Busy(
        "this target is being changed by another process",
        why=f"process {holder.get('pid', '?')}, started by {holder.get('by') or 'somebody'}, since {since}",
        hint="wait until it has ended and run the same command again; what a killed process held is free at once",
    )


def damaged(path: str, why: str) -> IntegrityFailed:
    """A file of the memory cannot be read any more."""
    return IntegrityFailed(f"{path} is damaged", why=why, hint="restore it from a backup, or move it away to begin anew")


def refuse_newer(data: Mapping[str, JSON], path: str) -> None:
    """Say so where a later format was written; guessing would lose what it means."""
    found = data.get("format")
    if not isinstance(found, int):
        raise damaged(path, "it does not say its format")
    if found > FORMAT:
        raise TargetFailed(
            f"{path} was written by a newer vitrify",
            why=f"its format is {found}, this version reads up to {FORMAT}",
            hint="upgrade vitrify",
        )
