"""The fingerprint of folders: one pass, nothing followed, nothing waited for, whatever somebody left lying there."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from vitrify.core.digest import JSON, KEYED, PLAIN, JSONObject
from vitrify.onhost.faults import told
from vitrify.onhost.files import CHUNK, extended
from vitrify.onhost.rooted import Rooted

DEEPEST = 512
"""Folders deeper than this are noted and not entered: each level costs an open descriptor."""
BLOCKS = "blocks-sha256:"
_BLOCK = 64 * 1024
_SPARSE = 1 << 20
_SETTLED_NS = 20_000_000
"""A file that changed this shortly before it was read may change again without its time telling."""

Seen = Tuple[int, ...]
"""dev, ino, size, mtime_ns, ctime_ns, mode, uid, gid, nlink: while these are the same, so is the content."""


@dataclass(frozen=True)
class Known:
    """One fingerprint, and what `lstat` said when it was taken; empty where that cannot be relied on."""

    print: JSONObject
    seen: Seen = ()


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
                self._folder(folder, found, known, now_ns)
        return found

    def at(self, paths: Iterable[str], *, now_ns: int) -> Fingerprints:
        """Fingerprints of single paths; those where nothing is are left out."""
        found: Fingerprints = {}
        for path in paths:
            with (
                told(f"{path} cannot be looked at"),
                suppress(FileNotFoundError, NotADirectoryError),
                self._system.beneath.at(path) as spot,
            ):
                entry = spot.entry()
                folder = spot.folders[entry.layer] if entry else None
                if entry is not None and folder is not None:
                    found[path] = self.look(_Place(path, spot.path), (folder, spot.name), now_ns)
        return found

    def _folder(self, folder: str, found: Fingerprints, known: Mapping[str, Known], now_ns: int) -> None:
        with self._system.beneath.at(folder) as spot:
            entry, holder = spot.entry(), spot.folders[0]
            if entry is None or holder is None:
                return
            walk = _Pass(self, found, known, now_ns)
            walk.enter(_Place(folder, spot.path), holder, spot.name, device=None)
            walk.go()

    def skipped(self, path: str) -> bool:
        """Whether this path is left out: the memory itself changes with every run."""
        return path in self._skip

    def look(self, place: _Place, at: Tuple[int, str], now_ns: int, known: Optional[Known] = None) -> Known:
        """The fingerprint of one entry: `at` is its folder's descriptor and its name."""
        folder, name = at
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if known is not None and known.seen and known.seen == _seen(status):
            return known
        descriptor = _open(folder, name, status)
        try:
            print_, status = self._print(place, (folder, name), status, descriptor)
        finally:
            if descriptor is not None:
                os.close(descriptor)
        settled = now_ns - status.st_ctime_ns > _SETTLED_NS
        return Known(print_, _seen(status) if settled else ())

    def _print(
        self, place: _Place, at: Tuple[int, str], status: os.stat_result, descriptor: Optional[int]
    ) -> Tuple[JSONObject, os.stat_result]:
        found: Dict[str, JSON] = {}
        if stat.S_ISREG(status.st_mode):
            found["sha256"] = self._digest(descriptor, status)
        if descriptor is not None:
            xattrs = {name: base64.b64encode(value).decode() for name, value in sorted(extended(descriptor).items())}
            if xattrs:
                found["xattrs"] = dict(xattrs)
            status = os.fstat(descriptor)
        elif stat.S_ISLNK(status.st_mode):
            found["link"] = os.readlink(at[1], dir_fd=at[0])
        shown = self._system.shown(place.real, status)
        kind = _TYPES.get(stat.S_IFMT(status.st_mode), "other")
        size = 0 if kind == "directory" else status.st_size
        found.update({"type": kind, "mode": f"{shown.mode:04o}", "uid": shown.uid, "gid": shown.gid, "size": size})
        found.update({"nlink": status.st_nlink, "mtime_ns": status.st_mtime_ns})
        return found, status

    def _digest(self, descriptor: Optional[int], status: os.stat_result) -> str:
        """Keyed where not everybody may read the file, so that nobody can guess a secret from its fingerprint."""
        if descriptor is None:
            return "unreadable"
        secret = status.st_mode & 0o004 == 0
        running = hmac.new(self._key, digestmod=hashlib.sha256) if secret else hashlib.sha256()
        sparse = status.st_size > _SPARSE and status.st_blocks * 512 < status.st_size // 2
        for chunk in _written_blocks(descriptor, status.st_size) if sparse else _chunks(descriptor):
            running.update(chunk)
        name = KEYED if secret else PLAIN
        return (f"{BLOCKS}{name}" if sparse else name) + running.hexdigest()


_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


@dataclass(frozen=True)
class _Place:
    """A path as it was asked for, and as it is once links are resolved."""

    path: str
    real: str

    def inner(self, name: str) -> _Place:
        return _Place(f"{self.path.rstrip('/')}/{name}", f"{self.real.rstrip('/')}/{name}")


@dataclass
class _Level:
    place: _Place
    folder: int
    names: List[str]


class _Pass:
    """Walks one folder with a stack of its own: no depth and no name can make it fail."""

    def __init__(self, sweep: Sweep, found: Fingerprints, known: Mapping[str, Known], now_ns: int) -> None:
        self._sweep = sweep
        self._found = found
        self._before = known
        self._now_ns = now_ns
        self._levels: List[_Level] = []
        self._device = 0

    def go(self) -> None:
        try:
            while self._levels:
                level = self._levels[-1]
                if not level.names:
                    os.close(self._levels.pop().folder)
                    continue
                name = level.names.pop()
                self.enter(level.place.inner(name), level.folder, name, device=self._device)
        finally:
            for level in self._levels:
                os.close(level.folder)

    def enter(self, place: _Place, folder: int, name: str, *, device: Optional[int]) -> None:
        """Fingerprint one entry, and put it on the stack where it is a folder of the same filesystem."""
        if self._sweep.skipped(place.path):
            return
        try:
            known = self._sweep.look(place, (folder, name), self._now_ns, self._before.get(place.path))
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:  # gone since it was listed
            return
        self._found[place.path] = known
        if not stat.S_ISDIR(status.st_mode) or device not in (None, status.st_dev):
            return
        self._device = status.st_dev
        if len(self._levels) >= DEEPEST:
            self._found[place.path] = Known({**known.print, "note": f"more than {DEEPEST} levels deep: not entered"})
            return
        self._push(place, folder, name)

    def _push(self, place: _Place, folder: int, name: str) -> None:
        try:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except OSError as error:
            self._found[place.path] = Known({**self._found[place.path].print, "note": os.strerror(error.errno or 0)})
            return
        self._levels.append(_Level(place, inner, os.listdir(inner)))


def _seen(status: os.stat_result) -> Seen:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_nlink,
    )


def _open(folder: int, name: str, status: os.stat_result) -> Optional[int]:
    """A file or folder, for reading; None for what has no content, or none for us."""
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return None
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    if stat.S_IFMT(os.fstat(descriptor).st_mode) != stat.S_IFMT(status.st_mode):  # swapped since it was looked at
        os.close(descriptor)
        return None
    return descriptor


def _chunks(descriptor: int) -> Iterable[bytes]:
    while True:
        chunk = os.read(descriptor, CHUNK)
        if not chunk:
            return
        yield chunk


def _written_blocks(descriptor: int, size: int) -> Iterable[bytes]:
    """What is written in a file of holes: size, then offset and content of each block that is not all zeros."""
    yield f"{size}\n".encode()
    offset = 0
    while offset < size:
        try:
            offset = os.lseek(descriptor, offset, os.SEEK_DATA) // _BLOCK * _BLOCK
        except OSError:  # no more data up to the end
            return
        block = os.pread(descriptor, _BLOCK, offset)
        if block.strip(b"\0"):
            yield f"{offset}\n".encode() + block
        offset += _BLOCK
