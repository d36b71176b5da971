"""Fetches blobs from a registry: checked byte by byte, never more than promised, gone on with where a killed command ended."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from vitrify.core.diagnostic import Denied, IntegrityFailed, TargetUnreachable
from vitrify.core.digest import PLAIN
from vitrify.onhost.layout import Descriptor
from vitrify.stores.registry.door import Ask, Door, Reply

_CHUNK: Final = 1 << 20
_PROGRESS: Final = 1 << 20
"""So many bytes more are progress: a registry that breaks off after each of them is asked again."""
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,19})-[0-9]{1,19}/(?:[0-9]{1,19}|\*)")

Saw = Callable[[int], None]


def pulling(repository: str) -> tuple[str, ...]:
    """What a token must allow to read a repository."""
    return (f"repository:{repository}:pull",)


class Fetcher:
    """Fetches blobs of one repository. `state` is a folder for what came of blobs so far; it may be deleted at any time."""

    def __init__(self, door: Door, repository: str, state: Path) -> None:
        self._door, self._repository, self._state = door, repository, state

    @contextmanager
    def fetched(self, blob: Descriptor, saw: Saw) -> Iterator[BinaryIO]:
        """The blob as a file, from its beginning, whole and checked; gone afterwards. What was fetched stays where this is killed.

        IntegrityFailed where the registry gives other bytes, TargetUnreachable where it does not give all of them in time.
        """
        self._state.mkdir(parents=True, exist_ok=True)
        path = self._state / f"{blob.digest.removeprefix(PLAIN)}.part"
        with self._held(path) as file:
            try:
                self._fill(_Part(file, blob.size), blob, saw)
                file.seek(0)
                yield file
            except (IntegrityFailed, Denied):  # what is wrong with it is wrong the next time as well
                path.unlink(missing_ok=True)
                raise
            path.unlink(missing_ok=True)

    @contextmanager
    def _held(self, path: Path) -> Iterator[BinaryIO]:
        """The part, which one process at a time writes to; the next finds what this one left."""
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "r+b") as file:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.fstat(descriptor).st_nlink:
                    yield file
                    return

    def _fill(self, part: _Part, blob: Descriptor, saw: Saw) -> None:
        saw(part.have)
        failures = 0
        while part.have < blob.size:
            before = part.have
            try:
                self._go_on(part, blob, saw)
            except TargetUnreachable:
                failures = 0 if part.have - before >= _PROGRESS else failures + 1
                if failures >= self._door.pace.tries:
                    raise
                self._door.pace.pause(failures)
        if part.digest != blob.digest:
            why = f"asked for {blob.digest}, got {part.digest}"
            raise IntegrityFailed(f"{self._door.registry} gives other bytes than it was asked for", why=why)

    def _go_on(self, part: _Part, blob: Descriptor, saw: Saw) -> None:
        """Ask for what is missing, once."""
        with self._door.open(self._ask(blob, part.have)) as reply:
            if part.have and reply.status in (200, 416):  # it does not know parts, or not this one
                saw(-part.have)
                part.restart()
            if reply.status == 416:
                raise TargetUnreachable(f"{self._door.registry} does not give the rest of {blob.digest}")
            if part.have and reply.status == 206:
                self._refuse_another_part(reply, part.have)
            elif reply.status != 200:
                raise reply.failure(f"pulling {blob.digest} of {self._repository}")
            for data in reply.chunks(blob.size - part.have):
                part.add(data)
                saw(len(data))
        if part.have < blob.size:
            raise TargetUnreachable(f"{self._door.registry} broke off", why=f"{part.have} of {blob.size} bytes of {blob.digest}")

    def _ask(self, blob: Descriptor, have: int) -> Ask:
        headers = {"Range": f"bytes={have}-"} if have else {}
        return Ask("GET", f"/v2/{self._repository}/blobs/{blob.digest}", pulling(self._repository), headers)

    def _refuse_another_part(self, reply: Reply, have: int) -> None:
        match = _CONTENT_RANGE.fullmatch(reply.header("content-range"))
        if match is None or int(match[1]) != have:
            raise IntegrityFailed(f"{self._door.registry} gives another part of a blob than it was asked for")


class _Part:
    """What is there of a blob, hashed. Nothing rests on what an earlier command said of it: it is read again."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self.have = 0
        while data := file.read(_CHUNK):
            self._sha256.update(data)
            self.have += len(data)
        if self.have > most:
            self.restart()

    @property
    def digest(self) -> str:
        """The digest of what is there."""
        return PLAIN + self._sha256.hexdigest()

    def restart(self) -> None:
        """Forget all of it."""
        self._file.seek(0)
        self._file.truncate()
        self._sha256, self.have = hashlib.sha256(), 0

    def add(self, data: bytes) -> None:
        """Put more behind it."""
        self._file.write(data)
        self._sha256.update(data)
        self.have += len(data)
