"""The fingerprint of one entry: looked at, never followed, never waited for, read only where it is a regular file."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stat
from typing import Dict, Iterable, NamedTuple, Optional, Tuple

from vitrify.core.digest import JSON, KEYED, PLAIN, JSONObject
from vitrify.onhost.files import CHUNK, extended
from vitrify.onhost.rooted import Rooted

BLOCKS = "blocks-sha256:"
_BLOCK = 64 * 1024
_SPARSE = 1 << 20
_SETTLED_NS = 20_000_000
"""A file that changed this shortly before it was read may change again without its time telling."""

Seen = Tuple[int, ...]
"""dev, ino, size, mtime_ns, ctime_ns, mode, uid, gid, nlink: while these are the same, so is the content."""


class Known(NamedTuple):
    """One fingerprint, and what `lstat` said when it was taken; empty where that cannot be relied on."""

    print: JSONObject
    seen: Seen = ()


class Spotted(NamedTuple):
    """An entry where it was found: its path once links are resolved, its folder's descriptor, its name, and its `lstat`."""

    real: str
    folder: int
    name: str
    status: os.stat_result


class Fingerprinter:
    """Takes fingerprints on one target."""

    def __init__(self, system: Rooted, *, key: bytes, now_ns: int) -> None:
        self._system = system
        self._key = key
        self._settled_before = now_ns - _SETTLED_NS

    def of(self, spotted: Spotted) -> Known:
        """The fingerprint of this entry. FileNotFoundError where it is gone since it was looked at."""
        descriptor = _open(spotted)
        if descriptor is None:
            return self._known(self._print(spotted, spotted.status, None), spotted.status)
        try:
            # What the file itself says, before it is read: where it changes meanwhile, its next `lstat` differs from this one.
            status = os.fstat(descriptor)
            same = stat.S_IFMT(status.st_mode) == stat.S_IFMT(spotted.status.st_mode)
            return self._known(self._print(spotted, status if same else spotted.status, descriptor if same else None), status)
        finally:
            os.close(descriptor)

    def _known(self, found: JSONObject, status: os.stat_result) -> Known:
        return Known(found, seen(status) if status.st_ctime_ns < self._settled_before else ())

    def _print(self, spotted: Spotted, status: os.stat_result, descriptor: Optional[int]) -> JSONObject:
        found: Dict[str, JSON] = {}
        kind = _TYPES.get(stat.S_IFMT(status.st_mode), "other")
        if kind == "file":
            found["sha256"] = self._digest(descriptor, status)
        if descriptor is not None:
            xattrs = extended(descriptor)
            if xattrs:
                found["xattrs"] = {name: base64.b64encode(value).decode() for name, value in sorted(xattrs.items())}
        elif kind == "link":
            found["link"] = os.readlink(spotted.name, dir_fd=spotted.folder)
        shown = self._system.shown(spotted.real, status)
        found["type"], found["mode"], found["uid"], found["gid"] = kind, f"{shown.mode:04o}", shown.uid, shown.gid
        found["size"] = 0 if kind == "directory" else status.st_size
        found["nlink"], found["mtime_ns"] = status.st_nlink, status.st_mtime_ns
        return found

    def _digest(self, descriptor: Optional[int], status: os.stat_result) -> str:
        """Keyed where not everybody may read the file, so that nobody can guess a secret from its fingerprint."""
        if descriptor is None:
            return "unreadable"
        secret, size = status.st_mode & 0o004 == 0, status.st_size
        if size > _SPARSE and status.st_blocks * 512 < size // 2:
            return BLOCKS + self._of_chunks(_written_blocks(descriptor, size), secret=secret)
        if size >= CHUNK:
            return self._of_chunks(_chunks(descriptor, b""), secret=secret)
        content = os.read(descriptor, size + 1)  # one more than there is, so that one call also tells that this is all
        if len(content) != size:
            return self._of_chunks(_chunks(descriptor, content), secret=secret)
        return KEYED + hmac.digest(self._key, content, "sha256").hex() if secret else PLAIN + hashlib.sha256(content).hexdigest()

    def _of_chunks(self, chunks: Iterable[bytes], *, secret: bool) -> str:
        running = hmac.new(self._key, digestmod=hashlib.sha256) if secret else hashlib.sha256()
        for chunk in chunks:
            running.update(chunk)
        return (KEYED if secret else PLAIN) + running.hexdigest()


_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def seen(status: os.stat_result) -> Seen:
    """What a later `lstat` is compared with."""
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


def _open(spotted: Spotted) -> Optional[int]:
    """A file or folder, for reading; None for what has no content, or none for us."""
    if not (stat.S_ISREG(spotted.status.st_mode) or stat.S_ISDIR(spotted.status.st_mode)):
        return None
    try:
        return os.open(spotted.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=spotted.folder)
    except FileNotFoundError:
        raise
    except OSError:
        return None


def _chunks(descriptor: int, first: bytes) -> Iterable[bytes]:
    chunk = first or os.read(descriptor, CHUNK)
    while chunk:
        yield chunk
        chunk = os.read(descriptor, CHUNK)


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
