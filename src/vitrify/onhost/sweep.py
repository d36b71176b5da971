"""The fingerprint of folders: one pass, nothing followed, nothing waited for, whatever somebody left lying there."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Dict, Iterable, List, Mapping, Optional, Sequence

from vitrify.onhost.copies import Answer, Copies, CopyLost, cores
from vitrify.onhost.faults import told
from vitrify.onhost.fingerprint import Fingerprinter, Known, Spotted, seen
from vitrify.onhost.rooted import Rooted

DEEPEST = 512
"""Folders deeper than this are noted and not entered: each level costs an open descriptor."""
ALONE = 4 << 20
"""Bytes that one process reads before it asks others to help; opening a file counts as `_OPENING` of them."""
_OPENING = 16 << 10

Fingerprints = Dict[str, Known]


class Sweep:
    """One pass over folders of a target."""

    def __init__(self, system: Rooted, *, key: bytes, skip: Sequence[str] = ()) -> None:
        self._system = system
        self._key = key
        self._skip = frozenset(skip)

    def over(self, folders: Iterable[str], *, known: Mapping[str, Known], now_ns: int) -> Fingerprints:
        """Fingerprints of these folders and all in them. What looks as it is `known` is not read again; pass {} to read every byte."""
        found: Fingerprints = {}
        for folder in folders:
            with told(f"{folder} cannot be swept"), suppress(FileNotFoundError, NotADirectoryError):
                try:
                    found.update(self._folder(folder, known, now_ns, most=cores()))
                except CopyLost:
                    found.update(self._folder(folder, known, now_ns, most=1))
        return found

    def at(self, paths: Iterable[str], *, now_ns: int) -> Fingerprints:
        """Fingerprints of single paths; those where nothing is are left out."""
        found: Fingerprints = {}
        taken = Fingerprinter(self._system, key=self._key, now_ns=now_ns)
        for path in paths:
            with (
                told(f"{path} cannot be looked at"),
                suppress(FileNotFoundError, NotADirectoryError),
                self._system.beneath.at(path) as spot,
            ):
                entry = spot.entry()
                folder = spot.folders[entry.layer] if entry else None
                if entry is not None and folder is not None:
                    found[path] = taken.of(Spotted(spot.path, folder, spot.name, entry.status))
        return found

    def _folder(self, folder: str, known: Mapping[str, Known], now_ns: int, *, most: int) -> Fingerprints:
        with self._system.beneath.at(folder) as spot:
            entry, holder = spot.entry(), spot.folders[0]
            if entry is None or holder is None or folder in self._skip:
                return {}
            walk = _Pass(Fingerprinter(self._system, key=self._key, now_ns=now_ns), known, self._skip, most=most)
            walk.enter(folder, Spotted(spot.path, holder, spot.name, os.stat(spot.name, dir_fd=holder, follow_symlinks=False)))
            return walk.to_its_end()


@dataclass
class _Level:
    """A folder that is being walked: paths below it begin with these, and these entries are left."""

    path: str
    real: str
    folder: int
    entries: List[os.DirEntry[str]]


class _Pass:
    """Walks one folder with a stack of its own: no depth and no name can make it fail.

    Where there is much to read, copies of the process walk on with the same stack. All of them enter every folder; each
    takes the fingerprints of the paths that are its own, so that none is left out whoever sees what first.
    """

    def __init__(self, taken: Fingerprinter, known: Mapping[str, Known], skip: frozenset[str], *, most: int) -> None:
        self._taken = taken
        self._before = known
        self._skip = skip
        self._most = most
        self._found: Fingerprints = {}
        self._levels: List[_Level] = []
        self._device: Optional[int] = None
        self._effort = 0
        self._part, self._of = 0, 1

    def to_its_end(self) -> Fingerprints:
        """Everything below what was entered, and that itself. CopyLost where a helping process died."""
        copies = Copies()
        try:
            while self._levels:
                self._step()
                if self._of < self._most and self._effort > ALONE:
                    self._divide(copies)
            for answer in copies.answers():
                self._found.update((path, Known(*values)) for path, values in answer.items())
        finally:
            copies.stop()
            for level in self._levels:
                os.close(level.folder)
        return self._found

    def _step(self) -> None:
        level = self._levels[-1]
        if not level.entries:
            os.close(self._levels.pop().folder)
            return
        entry = level.entries.pop()
        path = level.path + entry.name
        if path in self._skip or not (self._is_mine(path) or entry.is_dir(follow_symlinks=False)):
            return
        try:
            status = entry.stat(follow_symlinks=False)
            known = self._before.get(path)
            if known is not None and known.seen == seen(status) and not stat.S_ISDIR(status.st_mode):
                self._found[path] = known  # most entries of most sweeps: as they were, and nothing below them
            else:
                self.enter(path, Spotted(level.real + entry.name, level.folder, entry.name, status))
        except FileNotFoundError:  # gone since it was listed
            return

    def enter(self, path: str, spotted: Spotted) -> None:
        """Fingerprint one entry, and put it on the stack where it is a folder of the same filesystem."""
        status, note = spotted.status, ""
        mine = self._is_mine(path)
        known = self._look(path, spotted) if mine else None
        if stat.S_ISDIR(status.st_mode) and self._device in (None, status.st_dev):
            self._device = status.st_dev
            note = self._push(path, spotted)
        if known:
            self._found[path] = Known({**known.print, "note": note}) if note else known

    def _is_mine(self, path: str) -> bool:
        return self._of == 1 or hash(path) % self._of == self._part

    def _look(self, path: str, spotted: Spotted) -> Known:
        known = self._before.get(path)
        if known is not None and known.seen and known.seen == seen(spotted.status):
            return known
        self._effort += _OPENING + spotted.status.st_size
        return self._taken.of(spotted)

    def _push(self, path: str, spotted: Spotted) -> str:
        """Open a folder and list it; where that cannot be done, why."""
        if len(self._levels) >= DEEPEST:
            return f"more than {DEEPEST} levels deep: not entered"
        try:
            inner = os.open(spotted.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=spotted.folder)
        except OSError as error:
            return os.strerror(error.errno or 0)
        with os.scandir(inner) as listed:
            self._levels.append(_Level(_below(path), _below(spotted.real), inner, list(listed)))
        return ""

    def _divide(self, copies: Copies) -> None:
        """From here on this process does the first part alone."""
        self._of = self._most
        for number in range(1, self._most):
            try:
                copies.start(partial(self._as_copy, number))
            except OSError as error:
                raise CopyLost("no process can be started to help") from error

    def _as_copy(self, number: int) -> Answer:
        self._part, self._found = number, {}
        return {path: tuple(known) for path, known in self.to_its_end().items()}


def _below(folder: str) -> str:
    return folder if folder.endswith("/") else f"{folder}/"
