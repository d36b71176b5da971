"""One process's way through folders: the open folders it stands in, and for each folder what is in it now.

What is known leads the way. Where a folder looks as it did, the names in it are those that are known, and where each of them
looks as it did, nothing is opened, listed or read.
"""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple

from vitrify.onhost.beneath import OPEN_FOLDER
from vitrify.onhost.fingerprint import NEVER, SEEN, Fingerprinter, Print, Taken, all_seen, seen
from vitrify.onhost.records import Record, Tree, below, join, split

DEEPEST = 512
"""Folders deeper than this are noted and not entered: each level costs an open descriptor."""


@dataclass(frozen=True)
class Manner:
    """How much is read of what seems not to have moved: everything, or the folders whose turn it is; 0 shares is nothing."""

    whole: bool = False
    turn: int = 0
    shares: int = 0

    def reads(self, path: str) -> bool:
        """Whether every byte in this folder is read, whatever `lstat` says of it."""
        return self.whole or (self.shares > 0 and zlib.crc32(os.fsencode(path)) % self.shares == self.turn % self.shares)


class Top(NamedTuple):
    """Where a walk begins: its path, that path with links resolved, the open folder that holds it, its name there, its file system."""

    path: str
    real: str
    holder: int
    name: str
    device: int


class _Level(NamedTuple):
    """An open folder on the way."""

    path: str
    descriptor: int
    status: os.stat_result


class _Inside(NamedTuple):
    """What is listed in a folder: whether each name but those of folders was told to be a regular file."""

    names: Dict[bytes, bool]
    folders: Tuple[bytes, ...]


_SILENT = Print("directory", 0, 0, 0, 0, 0, 0)
"""A folder of which nothing can be known."""


class Walk:
    """Goes where it is told, and on into what nobody knew of. `changed`, `gone`, `entries` and `taken.read` say what it found."""

    def __init__(self, top: Top, taken: Fingerprinter, known: Tree, skip: frozenset[str], manner: Manner) -> None:
        self.changed: Tree = {}
        self.gone: List[str] = []
        self.entries = 0
        self.taken = taken
        self._top = top
        self._known = known
        self._manner = manner
        self._levels: List[_Level] = []
        self._hidden: Dict[str, Set[bytes]] = {}
        for path in skip:
            folder, _, name = path.rpartition("/")
            self._hidden.setdefault(folder or "/", set()).add(os.fsencode(name))
        self._expected: Set[str] = set(known)

    def ahead(self, levels: int) -> List[str]:
        """The folders of the first levels, where nothing is known: so that they can be shared. Each is expected to be gone over."""
        found = new = [self._top.path]
        for _ in range(levels):
            inner = []
            for path in new:
                with suppress(OSError):  # one that cannot be entered or listed is told when it is gone over
                    level = self._reach(path)
                    inner += [join(path, name) for name in self._list(level).folders] if level is not None else []
            found, new = found + inner, inner
        self._expected.update(found)
        self.close()  # a copy of this process would share each open folder, and how far it was listed
        return found

    def close(self) -> None:
        """Leave every folder."""
        while self._levels:
            os.close(self._levels.pop().descriptor)

    def over(self, paths: Iterable[str]) -> None:
        """Look at these folders, which come in order, and at all below them that nobody expected."""
        for path in paths:
            todo = [path]
            while todo:
                here = todo.pop()
                todo += [inner for inner in self._visit(here) if inner not in self._expected]

    def _visit(self, path: str) -> List[str]:
        """Look at one folder; returns the folders in it."""
        try:
            level = self._reach(path)
        except OSError as error:
            return self._unentered(path, os.strerror(error.errno or 0))
        if level is None:
            return self._absent(path)
        if level.path != path:
            return self._unentered(path, f"more than {DEEPEST} levels deep: not entered")
        if level.status.st_dev != self._top.device:
            return self._unentered(path, "")
        old = self._known.get(path)
        fresh = self._manner.reads(path)
        if old is not None and not fresh and self._as_it_was(level, old):
            self.entries += len(old)
            return []  # each of its folders is known
        inside = self._list(level)
        record = self._read(level, inside, None if fresh else old)
        self._keep(path, record)
        return [join(path, name) for name in inside.folders]

    def _as_it_was(self, level: _Level, old: Record) -> bool:
        parts = old.parts
        if parts.seen[:SEEN] != seen(level.status):
            return False
        look, folder = os.stat, level.descriptor
        try:
            now = all_seen([look(name, dir_fd=folder, follow_symlinks=False) for name in split(parts.names)])
        except OSError:
            return False
        return now == parts.seen[SEEN:]

    def _read(self, level: _Level, inside: _Inside, old: Optional[Record]) -> Record:
        """The record of a folder as it is now; what looks as the old one has it is taken from there."""
        before: Mapping[bytes, Taken] = {}
        if old is not None:
            _, before = old.taken()
        real = self._real(level.path)
        entries: Dict[bytes, Taken] = {}
        folders = list(inside.folders)
        for name, regular in inside.names.items():
            with suppress(FileNotFoundError):  # gone since it was listed
                entries[name] = self._one(level.descriptor, name, before.get(name), real=real, regular=regular)
        own = self.taken.opened(level.descriptor, lambda: real)
        # What was seen of a folder vouches for the names in it: as it was before they were listed.
        same = self.taken.settled(level.status)
        return Record.of(level.path, Taken(own.print, same if own.seen == same else NEVER), entries, folders)

    def _one(self, folder: int, name: bytes, before: Optional[Taken], *, real: str, regular: bool) -> Taken:
        if before is not None and before.seen == seen(os.stat(name, dir_fd=folder, follow_symlinks=False)):
            return before
        return self.taken.of(folder, name, lambda: join(real, name), regular=regular)

    def _list(self, level: _Level) -> _Inside:
        hidden = self._hidden.get(level.path, ())
        names: Dict[bytes, bool] = {}
        folders = []
        with os.scandir(level.descriptor) as listed:
            for entry in listed:
                name = os.fsencode(entry.name)
                if name in hidden:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(name)
                else:
                    names[name] = entry.is_file(follow_symlinks=False)
        return _Inside(names, tuple(folders))

    def _unentered(self, path: str, note: str) -> List[str]:
        """A folder that is told and not entered; one that is gone by now is absent."""
        holder, name = self._top.holder, self._top.name
        try:
            if path != self._top.path:
                folder, _, name = path.rpartition("/")
                level = self._reach(folder or "/")
                if level is None:
                    return self._absent(path)
                holder = level.descriptor
            self._keep(path, Record.of(path, self.taken.closed(holder, name, self._real(path), note=note), {}, ()))
        except (FileNotFoundError, NotADirectoryError):
            return self._absent(path)
        except OSError as error:  # what is mounted there does not answer: it is no more than that, and not gone
            self._keep(path, Record.of(path, self._silent(path, os.strerror(error.errno or 0)), {}, ()))
        return []

    def _silent(self, path: str, note: str) -> Taken:
        """What is told of a folder that nobody can look at: all that was known, and why."""
        old = self._known.get(path)
        known = old.taken()[0].print if old is not None else _SILENT
        return Taken(known._replace(note=note), NEVER)

    def _absent(self, path: str) -> List[str]:
        self.gone.append(path)
        return []

    def _keep(self, path: str, record: Record) -> None:
        self.entries += len(record)
        old = self._known.get(path)
        if old is None or not old.same(record):
            self.changed[path] = record

    def _real(self, path: str) -> str:
        return f"{self._top.real.rstrip('/')}/{path[len(self._top.path) :].lstrip('/')}".rstrip("/") or "/"

    def _reach(self, path: str) -> Optional[_Level]:
        """The open folder at this path: the last of the levels; None where no folder is there any more, or no way to it.

        Where it is too deep, the deepest one above it. OSError where it cannot be opened.
        """
        while self._levels and not below(self._levels[-1].path, path):
            os.close(self._levels.pop().descriptor)
        if not self._levels:
            self._enter(self._top.path, self._top.name, self._top.holder)
        while self._levels and self._levels[-1].path != path:
            above = self._levels[-1]
            if above.status.st_dev != self._top.device:
                return None
            if len(self._levels) >= DEEPEST:
                return above
            begin = len(above.path) if above.path.endswith("/") else len(above.path) + 1
            end = path.find("/", begin)
            inner = path if end < 0 else path[:end]
            if not self._enter(inner, inner[begin:], above.descriptor):
                return None
        return self._levels[-1] if self._levels else None

    def _enter(self, path: str, name: str, folder: int) -> bool:
        try:
            descriptor = os.open(name, OPEN_FOLDER, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):
            return False
        self._levels.append(_Level(path, descriptor, os.fstat(descriptor)))
        return True
