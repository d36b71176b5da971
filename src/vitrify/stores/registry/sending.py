"""Brings blobs to a registry: asked for first, taken over from another repository, or sent in chunks that a later command goes on with."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

from vitrify.core.diagnostic import IntegrityFailed, TargetFailed, TargetUnreachable
from vitrify.core.digest import digest_bytes
from vitrify.onhost.record import read_record, write_record
from vitrify.stores.registry.door import Ask, Door, Reply

CHUNK: Final = 16 << 20
"""Bytes of one request. What is not larger goes in one piece, without a state that could be gone on with."""

_PIECE: Final = 1 << 18
_RANGE: Final = re.compile(r"(?:bytes=)?0-([0-9]{1,19})")
_MOST_BEGINNINGS: Final = 3

Saw = Callable[[int], None]


def pushing(repository: str) -> tuple[str, ...]:
    """What a token must allow to write to a repository."""
    return (f"repository:{repository}:pull,push",)


@dataclass(frozen=True)
class Parcel:
    """A blob to send: a file, its digest and its size."""

    path: Path
    digest: str
    size: int


class Sender:
    """Sends blobs to one repository. `state` is a folder that remembers uploads under way; it may be deleted at any time."""

    def __init__(self, door: Door, repository: str, state: Path, *, chunk: int = CHUNK) -> None:
        self._door, self._repository, self._state, self._chunk = door, repository, state, chunk

    def has(self, digest: str) -> bool:
        """Whether the registry says that it has this blob in the repository."""
        with self._door.open(Ask("HEAD", f"/v2/{self._repository}/blobs/{digest}", pushing(self._repository))) as reply:
            if reply.status not in (200, 404):
                raise reply.failure(f"looking for a blob in {self._repository}")
            return reply.status == 200

    def mounted(self, digest: str, *, source: str) -> bool:
        """Have the registry take the blob over from another of its repositories; False where it does not, or may not."""
        scopes = (*pushing(self._repository), f"repository:{source}:pull")
        query = urlencode({"mount": digest, "from": source})
        with self._door.open(Ask("POST", f"/v2/{self._repository}/blobs/uploads/?{query}", scopes)) as reply:
            if reply.status == 202:  # it began an upload instead, which nobody will go on with
                with suppress(Exception):
                    self._forget(self._location(reply))
            return reply.status == 201

    def send(self, parcel: Parcel, tell: Saw) -> None:
        """Send the blob; what an earlier, killed command sent of it is not sent again where the registry still has it."""

        def saw(count: int) -> None:
            self._door.pace.go_on()
            tell(count)

        if parcel.size <= self._chunk:
            self._whole(parcel, saw)
            return
        with self._remembered(parcel.digest) as note:
            for attempt in range(_MOST_BEGINNINGS):
                try:
                    if self._chunks(parcel, note, saw):
                        return
                except TargetUnreachable:
                    self._door.pace.go_on()
                    if attempt + 1 == _MOST_BEGINNINGS:
                        raise
                    self._door.pace.pause(attempt)
        self._whole(parcel, saw)

    # -- in one piece ---------------------------------------------------------------------------------------------

    def _whole(self, parcel: Parcel, saw: Saw) -> None:
        """Begin and end an upload; tried again from its beginning, because a broken one leaves nothing."""
        for attempt in range(self._door.pace.tries):
            last = attempt + 1 == self._door.pace.tries
            try:
                with self._door.open(self._ending(self._begun(), parcel, saw)) as reply:
                    if reply.status == 201:
                        return
                    if last or (reply.status < 500 and reply.status not in (404, 408, 416, 429)):
                        raise reply.failure(f"sending a blob to {self._repository}")
                    asked = reply.header("retry-after")
            except TargetUnreachable:
                if last or self.has(parcel.digest):
                    if last:
                        raise
                    return
                asked = ""
            self._door.pace.pause(attempt, asked=asked)

    def _ending(self, location: str, parcel: Parcel, saw: Saw) -> Ask:
        content = lambda: _pieces(parcel.path, 0, parcel.size, saw)  # noqa: E731  the body, as often as it is asked for
        headers = {"Content-Type": "application/octet-stream"}
        return Ask("PUT", _with_digest(location, parcel.digest), pushing(self._repository), headers, content, parcel.size, safe=False)

    # -- in chunks ------------------------------------------------------------------------------------------------

    def _chunks(self, parcel: Parcel, note: Path | None, saw: Saw) -> bool:
        """Send what is missing, chunk by chunk; False where the registry does not take chunks, or lost what it had."""
        location, offset = self._where_it_ended(note)
        if not location or offset > parcel.size:
            location, offset = self._begun(), 0
        saw(offset)
        while offset < parcel.size:
            self._note(note, location)
            size = min(self._chunk, parcel.size - offset)
            with self._door.open(self._chunk_of(location, parcel, offset, size, saw)) as reply:
                if reply.status in (401, 403):
                    raise reply.failure(f"sending a blob to {self._repository}")
                if reply.status not in (202, 204):
                    self._note(note, "")
                    return False
                location, had = self._location(reply), offset
                offset = _taken(reply, expected=offset + size)
                if not had < offset <= had + size:
                    raise IntegrityFailed("a registry counts other bytes than it was sent", why=f"{offset} of {had + size}")
        self._note(note, location)
        ask = Ask("PUT", _with_digest(location, parcel.digest), pushing(self._repository), safe=False)
        with self._door.open(ask) as reply:
            self._note(note, "")
            return reply.status == 201

    def _chunk_of(self, location: str, parcel: Parcel, offset: int, size: int, saw: Saw) -> Ask:
        content = lambda: _pieces(parcel.path, offset, size, saw)  # noqa: E731  the same
        headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{offset}-{offset + size - 1}"}
        return Ask("PATCH", location, pushing(self._repository), headers, content, size, safe=False)

    def _where_it_ended(self, note: Path | None) -> tuple[str, int]:
        """The address of an upload under way, and how much the registry has of it; nothing where it knows nothing of it any more."""
        known = read_record(str(note)) if note else None
        if not known or not known.get("location"):
            return "", 0
        location = self._door.resolve(str(known["location"]), base=self._door.origin)
        with self._door.open(Ask("GET", location, pushing(self._repository))) as reply:
            if reply.status != 204:
                return "", 0
            return self._location(reply) if reply.header("location") else location, _taken(reply, expected=0)

    def _begun(self) -> str:
        """The address of a new upload."""
        with self._door.open(Ask("POST", f"/v2/{self._repository}/blobs/uploads/", pushing(self._repository))) as reply:
            if reply.status != 202:
                raise reply.failure(f"pushing to {self._door.registry}/{self._repository}")
            return self._location(reply)

    def _forget(self, location: str) -> None:
        with self._door.open(Ask("DELETE", location, pushing(self._repository))):
            pass

    def _location(self, reply: Reply) -> str:
        location = reply.header("location")
        if not location:
            raise IntegrityFailed(f"{self._door.registry} does not say where an upload goes on")
        return self._door.resolve(location, base=reply.url)

    # -- what is remembered ---------------------------------------------------------------------------------------

    @contextmanager
    def _remembered(self, digest: str) -> Iterator[Path | None]:
        """The note of this upload; None where another process is sending the same blob there: then this one goes by itself."""
        name = digest_bytes(f"{self._door.registry}/{self._repository}@{digest}".encode()).removeprefix("sha256:")
        self._state.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._state / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            note = self._state / f"{name}.json"
            yield note
            note.unlink(missing_ok=True)
        finally:
            os.close(lock)

    def _note(self, note: Path | None, location: str) -> None:
        if note is not None:
            write_record(str(note), {"location": location})


def _with_digest(location: str, digest: str) -> str:
    joint = "&" if urlsplit(location).query else "?"
    return f"{location}{joint}{urlencode({'digest': digest})}"


def _taken(reply: Reply, *, expected: int) -> int:
    """How many bytes the registry says that it has."""
    told = reply.header("range")
    if not told:
        return expected
    match = _RANGE.fullmatch(told.strip())
    if match is None:
        raise TargetFailed("a registry counts bytes in a way that is not understood", why=ascii(told[:40]))
    # `0-0` is how an upload that has nothing yet is written by everybody.
    return int(match[1]) + 1 if match[1] != "0" else 0


def _pieces(path: Path, offset: int, size: int, saw: Saw) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while size > 0 and (data := file.read(min(_PIECE, size))):
            size -= len(data)
            yield data
            saw(len(data))
