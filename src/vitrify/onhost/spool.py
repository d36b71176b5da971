"""What a detached call says, kept on the host until somebody has heard it: a folder for root alone, gone with a reboot.

One folder for each server: `request` says what is under way, `alive` is locked for as long as its process lives, and
`events` is a line of JSON for each event, the last one with the answer.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Iterator, Optional, Tuple

from vitrify.core.diagnostic import Denied, TargetFailed, UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.event import Emit, Event
from vitrify.onhost.faults import told
from vitrify.onhost.files import write
from vitrify.onhost.record import read_record, write_record

POLL = 0.01
_OWN = os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Request:
    """Which call, for which operation; `by` and `since` (seconds since the epoch) are for whoever has to wait."""

    call: str
    operation: str
    by: str = ""
    since: int = 0


class Spools:
    """The spools of a host, in one folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else looks or begins meanwhile. Makes the folder, and refuses one that somebody else could write to."""
        with told(f"{self._folder} cannot be used"):
            with suppress(FileExistsError):
                os.mkdir(self._folder, 0o700)
            status = os.lstat(self._folder)
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
                hint = "find out who made it, and take it away"
                raise Denied(f"{self._folder} is not to be trusted", why="it is not a folder for us alone", hint=hint)
            descriptor = os.open(os.path.join(self._folder, "lock"), os.O_RDWR | os.O_CREAT | _OWN, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def find(self, project: str, server: str) -> Optional[Spool]:
        """The spool of this server, if there is one."""
        path = self._path(project, server)
        record = read_record(os.path.join(path, "request"))
        if record is None:
            return None
        since = record.get("since")
        request = Request(
            str(record.get("call")), str(record.get("operation")), str(record.get("by", "")), int(since) if isinstance(since, int) else 0
        )
        with suppress(FileNotFoundError):
            return Spool.opened(path, request)
        return None

    def begin(self, project: str, server: str, request: Request) -> Spool:
        """A new spool in place of any older one, alive for as long as this process, or a child of it, does not let go."""
        path = self._path(project, server)
        with told(f"{path} cannot be written"):
            shutil.rmtree(path, ignore_errors=True)
            os.mkdir(path, 0o700)
            spool = Spool.opened(path, request, flags=os.O_CREAT)
            fcntl.flock(spool.life, fcntl.LOCK_EX | fcntl.LOCK_NB)
            data: JSONObject = {"call": request.call, "operation": request.operation, "by": request.by, "since": request.since}
            write_record(os.path.join(path, "request"), data)
        return spool

    def _path(self, project: str, server: str) -> str:
        name = f"{project}-{server}"
        if "/" in name or name.startswith("."):
            raise UsageInvalid(f"{name!r} is not the name of a server")
        return os.path.join(self._folder, name)


@dataclass(frozen=True)
class Spool:
    """One spool, open: what it holds stays readable whatever takes its place. `life` is the descriptor of its lock."""

    path: str
    request: Request
    life: int
    events: int

    @classmethod
    def opened(cls, path: str, request: Request, *, flags: int = 0) -> Spool:
        """Open, or with O_CREAT make, what is in this folder."""
        life = os.open(os.path.join(path, "alive"), os.O_RDWR | _OWN | flags, 0o600)
        try:
            events = os.open(os.path.join(path, "events"), os.O_RDWR | os.O_APPEND | _OWN | flags, 0o600)
        except OSError:
            os.close(life)
            raise
        return cls(path, request, life, events)

    def close(self) -> None:
        """Let go of it."""
        os.close(self.life)
        os.close(self.events)

    def alive(self) -> bool:
        """Whether the process that writes to it lives; not to be asked by that process."""
        probe = os.open(f"/proc/self/fd/{self.life}", os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(probe)
        return False

    def tell(self, message: JSONObject) -> None:
        """Add a line."""
        write(self.events, json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def answer(self) -> Optional[JSONObject]:
        """How the call ended, as far as that is known."""
        _, lines = self._lines(0)
        return _answer_in(lines[-1]) if lines else None

    def follow(self, emit: Emit) -> JSONObject:
        """Tell every event from the first one on, wait for the end, and return the answer; TargetFailed where there is none."""
        offset = 0
        while True:
            alive = self.alive()  # looked at first: what was written before the end is read below
            offset, lines = self._lines(offset)
            for line in lines:
                answer = _answer_in(line)
                if answer is not None:
                    return answer
                event = line.get("event")
                if isinstance(event, dict):
                    emit(Event.from_json(event))
            if not alive:
                raise TargetFailed(
                    f"the process of the {self.request.call} ended in the middle of its work",
                    why="it was killed, or the host has no memory left",
                    hint="run the same command again: it finishes what was begun",
                )
            if not lines:
                time.sleep(POLL)

    def _lines(self, offset: int) -> Tuple[int, Tuple[JSONObject, ...]]:
        """The whole lines behind this offset, and where they end."""
        data = bytearray()
        while part := os.pread(self.events, 1 << 20, offset + len(data)):
            data += part
        whole = bytes(data[: data.rfind(b"\n") + 1])
        found = [json.loads(line) for line in whole.splitlines()]
        return offset + len(whole), tuple(line for line in found if isinstance(line, dict))


def _answer_in(line: JSONObject) -> Optional[JSONObject]:
    answer = line.get("answer")
    return answer if isinstance(answer, dict) else None
