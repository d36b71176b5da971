"""The journal of a run: every line durable before the next thing happens, so that a killed run is read, not guessed."""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import Callable, Dict, Iterable, List, Mapping, Sequence, Set, Tuple

from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.step import Reached
from vitrify.onhost.faults import told
from vitrify.onhost.files import write
from vitrify.onhost.memory import FORMAT, Memory
from vitrify.onhost.record import sync_folder
from vitrify.onhost.runs import Run, newest_first, read_run

_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}")


class Journal:
    """Appends to the journal of one run."""

    def __init__(self, memory: Memory, run: str, reached: Reached) -> None:
        if not _RUN.fullmatch(run):
            raise UsageInvalid(f"{run!r} is not the name of a run")
        self._folder = memory.path("runs", run)
        self._path = os.path.join(self._folder, "journal.ndjson")
        self._reached = reached

    def begin(self, record: Mapping[str, JSON]) -> None:
        """Write the first line; the run exists once this returns. What a torn beginning left is overwritten."""
        with told(f"{self._path} cannot be written"):
            with suppress(FileExistsError):
                os.mkdir(self._folder, 0o700)
            with suppress(FileNotFoundError):
                os.unlink(self._path)
            self.append({"record": "begin", "format": FORMAT, **record})
            sync_folder(self._folder)
            sync_folder(os.path.dirname(self._folder))

    def append(self, *records: Mapping[str, JSON]) -> None:
        """Add a line for each, durably, all at once. A torn one from a killed process is cut off first."""
        lines = b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records)
        with told(f"{self._path} cannot be written"):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                end = _end_of_lines(descriptor)
                try:
                    os.lseek(descriptor, end, os.SEEK_SET)
                    write(descriptor, lines)
                except OSError:
                    os.ftruncate(descriptor, end)
                    raise
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def step(self, name: str, intents: Sequence[JSONObject], act: Callable[[], Sequence[JSONObject]]) -> None:
        """Intents, one act, outcomes. `act` does it and returns a record of the outcome of each intent."""
        self.append(*intents)
        self._reached(f"{name}.intent")
        outcomes = act()
        self._reached(f"{name}.act")
        self.append(*outcomes)
        self._reached(f"{name}.outcome")


_BLOCK = 64 * 1024


def _end_of_lines(descriptor: int) -> int:
    """Where the last whole line ends; whatever is behind it is cut off."""
    size = os.fstat(descriptor).st_size
    end = size
    while end > 0:
        start = max(0, end - _BLOCK)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)
    return end


def all_runs(memory: Memory) -> Tuple[Run, ...]:
    """Every run that is remembered, the youngest first. Changes nothing."""
    if not memory.there():
        return ()
    with told(f"{memory.path('runs')} cannot be read"):
        try:
            names = os.listdir(memory.path("runs"))
        except FileNotFoundError:
            return ()
    found = []
    for name in names:
        content = memory.content("runs", name, "journal.ndjson")
        run = read_run(content, memory.path("runs", name, "journal.ndjson")) if content else None
        if run is not None:
            found.append(run)
    return tuple(newest_first(found))


@dataclass(frozen=True)
class Keep:
    """What stays undoable: so many runs of each server, and of all of them together so many bytes of before-images."""

    runs: int = 20
    bytes: int = 1 << 30

    @classmethod
    def of(cls, data: JSON) -> Keep:
        """Read an argument; what it does not say is as always."""
        given = data if isinstance(data, dict) else {}
        runs = given.get("runs")
        return cls(runs=runs) if isinstance(runs, int) and runs > 0 else cls()


def forget_old(memory: Memory, runs: Iterable[Run], keep: Keep) -> Tuple[Run, ...]:
    """Drop what is beyond the runs to keep, with all that is older, and the contents that only those needed; returns what stays.

    The newest run of a server always stays.
    """
    dropped: List[Run] = []
    kept: List[Run] = []
    full: Set[Tuple[str, str]] = set()
    count: Dict[Tuple[str, str], int] = {}
    needed: Dict[str, int] = {}
    sizes = _sizes(memory.path("before"))
    for run in newest_first(runs):
        server = (run.project, run.server)
        count[server] = count.get(server, 0) + 1
        wanted = {image.digest: sizes.get(image.digest, 0) for step in run.made for image in step.before if image.digest}
        beyond = count[server] > keep.runs or sum({**needed, **wanted}.values()) > keep.bytes
        if run.ended and count[server] > 1 and (beyond or server in full):
            dropped.append(run)
            full.add(server)
        else:
            kept.append(run)
            needed.update(wanted)
    for run in dropped:
        shutil.rmtree(memory.path("runs", run.id), ignore_errors=True)
    for name in sizes if dropped else ():
        if name not in needed:
            with suppress(FileNotFoundError):
                os.unlink(memory.path("before", name))
    return tuple(kept)


def _sizes(folder: str) -> Dict[str, int]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}
    return {}
