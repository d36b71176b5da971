"""The fingerprint of one entry: looked at, never followed, never waited for, read only where it is a regular file."""

from __future__ import annotations

import base64
import errno
import fcntl
import hashlib
import hmac
import os
import stat
import struct
import sys
from contextlib import suppress
from operator import attrgetter
from typing import Callable, Dict, Iterable, NamedTuple, Optional, Tuple, Union

from vitrify.core.digest import JSON, KEYED, PLAIN, JSONObject
from vitrify.onhost.files import CHUNK, extended
from vitrify.onhost.rooted import Rooted

BLOCKS = "blocks-sha256:"
UNREADABLE = "unreadable"
_BLOCK = 64 * 1024
_SPARSE = 1 << 20
_SETTLED_NS = 20_000_000
"""A file that changed this shortly before it was read may change again without its time telling."""

_SEEN = struct.Struct("<QQqqqQIII")
SEEN = _SEEN.size
"""Bytes of what `lstat` says of one entry."""
NEVER = bytes(SEEN)
"""Where that cannot be relied on: no entry looks like this."""
_told = attrgetter("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns", "st_nlink", "st_mode", "st_uid", "st_gid")

_FLAGS = {
    0x1: "s",
    0x2: "u",
    0x4: "c",
    0x8: "S",
    0x10: "i",
    0x20: "a",
    0x40: "d",
    0x80: "A",
    0x400: "m",
    0x800: "E",
    0x4000: "j",
    0x8000: "t",
    0x10000: "D",
    0x20000: "T",
    0x100000: "V",
    0x800000: "C",
    0x2000000: "x",
    0x20000000: "P",
    0x40000000: "F",
}
"""Attributes that somebody sets with chattr, by lsattr's letters. The others the kernel sets as it sees fit."""
_NO_ATTRIBUTES = (errno.ENOTTY, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS)


class Print(NamedTuple):
    """What is compared of an entry. None is not known, and equal to everything."""

    type: str
    mode: int
    uid: int
    gid: int
    nlink: int
    size: int
    mtime_ns: int
    content: Optional[str] = ""
    """A file's digest, a link's target, a device's numbers."""
    flags: Optional[str] = None
    """Letters of lsattr, in the order of the alphabet."""
    xattrs: Optional[Dict[str, str]] = None
    """Name to base64: access control lists, capabilities and labels are among them."""
    note: str = ""
    """Why a folder was not entered."""

    def same(self, other: Print) -> bool:
        """Whether nothing is known to differ."""
        return self == other or all(map(_agree, self, other))

    def known_to(self, other: Print) -> Print:
        """The same without what the other does not know."""
        return self._replace(
            content=None if other.content is None else self.content,
            flags=None if other.flags is None else self.flags,
            xattrs=None if other.xattrs is None else self.xattrs,
        )

    def to_json(self) -> JSONObject:
        """The form of an answer: what there is to say of this type."""
        found: Dict[str, JSON] = {"type": self.type, "mode": f"{self.mode:04o}", "uid": self.uid, "gid": self.gid}
        found.update(size=self.size, nlink=self.nlink, mtime_ns=self.mtime_ns)
        if self.type in CONTENT and self.content is not None:
            found[CONTENT[self.type]] = self.content
        if self.flags:
            found["flags"] = self.flags
        if self.xattrs:
            found["xattrs"] = dict(self.xattrs)
        if self.note:
            found["note"] = self.note
        return found


def _agree(mine: object, theirs: object) -> bool:
    return mine == theirs or mine is None or theirs is None


CONTENT = {"file": "sha256", "link": "link", "device": "device"}
"""What the content of an entry is called, by its type."""

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


class Taken(NamedTuple):
    """A fingerprint, and what `lstat` said when it was taken; NEVER where that cannot be relied on."""

    print: Print
    seen: bytes


_Told = Tuple[str, Optional[str], Optional[Dict[str, str]], str]
"""Content, flags, extended attributes, note."""


class Fingerprinter:
    """Takes fingerprints on one target; `read` counts the bytes of content."""

    def __init__(self, system: Rooted, *, key: bytes, now_ns: int) -> None:
        self._shown = system.shown
        self._key = key
        self._settled_before = now_ns - _SETTLED_NS
        self.read = 0

    def of(self, folder: int, name: Union[str, bytes], path: Callable[[], str], *, regular: bool = False) -> Taken:
        """The fingerprint of an entry of an open folder; `path` tells its resolved path, `regular` that it was listed as a file.

        FileNotFoundError where it is gone.
        """
        status = None if regular else os.stat(name, dir_fd=folder, follow_symlinks=False)
        if status is not None and not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            return self._unopened(folder, name, path(), status)
        try:
            descriptor = os.open(name, _READING, dir_fd=folder)
        except FileNotFoundError:
            raise
        except OSError:
            return self._unopened(folder, name, path(), os.stat(name, dir_fd=folder, follow_symlinks=False))
        try:
            return self.opened(descriptor, path)
        finally:
            os.close(descriptor)

    def opened(self, descriptor: int, path: Callable[[], str], *, note: str = "") -> Taken:
        """The fingerprint of an open file or folder."""
        # What it says itself, before it is read: where it changes meanwhile, its next `lstat` differs from this one.
        status = os.fstat(descriptor)
        kind = _TYPES.get(stat.S_IFMT(status.st_mode), "other")
        content = self._digest(descriptor, status) if kind == "file" else ""
        held = extended(descriptor)
        xattrs = {name: base64.b64encode(value).decode() for name, value in sorted(held.items())} if held else {}
        return self._taken(kind, status, path(), (content, flags_of(descriptor), xattrs, note))

    def closed(self, folder: int, name: Union[str, bytes], path: str, *, note: str = "") -> Taken:
        """The fingerprint of a folder that is not entered, or of anything else, without opening it."""
        return self._unopened(folder, name, path, os.stat(name, dir_fd=folder, follow_symlinks=False), note=note)

    def _unopened(self, folder: int, name: Union[str, bytes], path: str, status: os.stat_result, *, note: str = "") -> Taken:
        kind = _TYPES.get(stat.S_IFMT(status.st_mode), "other")
        content = UNREADABLE if kind == "file" else ""
        if kind == "link":
            content = os.readlink(os.fsdecode(name), dir_fd=folder)
        elif kind == "device":
            content = f"{'b' if stat.S_ISBLK(status.st_mode) else 'c'} {os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        return self._taken(kind, status, path, (content, None, _xattrs_of(folder, name), note))

    def _taken(self, kind: str, status: os.stat_result, path: str, told: _Told) -> Taken:
        shown = self._shown(path, status)
        size = 0 if kind == "directory" else status.st_size
        found = Print(kind, shown.mode, shown.uid, shown.gid, status.st_nlink, size, status.st_mtime_ns, *told)
        return Taken(found, self.settled(status))

    def settled(self, status: os.stat_result) -> bytes:
        """What a later `lstat` is compared with, where it can be relied on."""
        return seen(status) if status.st_ctime_ns < self._settled_before else NEVER

    def _digest(self, descriptor: int, status: os.stat_result) -> str:
        """Keyed where not everybody may read the file, so that nobody can guess a secret from its fingerprint."""
        secret, size = status.st_mode & 0o004 == 0, status.st_size
        try:
            if size > _SPARSE and status.st_blocks * 512 < size // 2:
                return BLOCKS + self._of_chunks(_written_blocks(descriptor, size), secret=secret)
            if size >= CHUNK:
                return self._of_chunks(_chunks(descriptor, b"", size), secret=secret)
            content = os.read(descriptor, size + 1)  # one more than there is, so that one call also tells that this is all
            if len(content) != size:
                return self._of_chunks(_chunks(descriptor, content, _UNTOLD), secret=secret)
        except OSError:  # a disk that cannot read it, a file that was swapped for what has no content
            return UNREADABLE
        self.read += size
        return KEYED + hmac.digest(self._key, content, "sha256").hex() if secret else PLAIN + hashlib.sha256(content).hexdigest()

    def _of_chunks(self, chunks: Iterable[Union[bytes, memoryview]], *, secret: bool) -> str:
        running = hmac.new(self._key, digestmod=hashlib.sha256) if secret else hashlib.sha256()
        for chunk in chunks:
            running.update(chunk)
            self.read += len(chunk)
        return (KEYED if secret else PLAIN) + running.hexdigest()


_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_UNTOLD = 64 << 20
"""Bytes that are read of a file that has more than it tells: one that grows as fast as it is read must not hold the sweep."""


def seen(status: os.stat_result) -> bytes:
    """What a later `lstat` is compared with: dev, ino, size, mtime_ns, ctime_ns, nlink, mode, uid, gid.

    While these are the same, so is everything else that a fingerprint says: no file API sets ctime.
    """
    return _SEEN.pack(*_told(status))


def all_seen(statuses: Iterable[os.stat_result]) -> bytes:
    """The same of many, one after the other."""
    pack, told = _SEEN.pack, _told
    return b"".join([pack(*told(status)) for status in statuses])


def size_seen(block: bytes) -> int:
    """The sizes of all entries in such bytes together."""
    return sum(row[2] for row in _SEEN.iter_unpack(block))


def as_seen(values: Iterable[int]) -> bytes:
    """From the order of format 1: mode, uid and gid came before nlink there."""
    dev, ino, size, mtime, ctime, mode, uid, gid, nlink = values
    return _SEEN.pack(dev, ino, size, mtime, ctime, nlink, mode, uid, gid)


def _get_flags() -> int:
    """The number of the call FS_IOC_GETFLAGS, which reads a long: some processors have their bits elsewhere."""
    reads = 0x40000000 if os.uname().machine.startswith(("ppc", "mips", "sparc", "alpha")) else 0x80000000
    return reads | struct.calcsize("l") << 16 | ord("f") << 8 | 1


_GETFLAGS = _get_flags()
_LONG = struct.calcsize("l")


def flags_of(descriptor: int) -> Optional[str]:
    """The attributes that chattr sets, as letters; None where the file system has none."""
    try:
        told = fcntl.ioctl(descriptor, _GETFLAGS, bytes(_LONG))
    except OSError:
        return None
    bits = int.from_bytes(told[:4], sys.byteorder) & _KNOWN
    return "".join(sorted(letter for bit, letter in _FLAGS.items() if bits & bit)) if bits else ""


_KNOWN = sum(_FLAGS)


def _xattrs_of(folder: int, name: Union[str, bytes]) -> Optional[Dict[str, str]]:
    """Extended attributes of what is not opened; None where the way to them is not there."""
    place = f"/proc/self/fd/{folder}/".encode() + os.fsencode(name)
    try:
        names = os.listxattr(place, follow_symlinks=False)
    except OSError as error:
        return {} if error.errno in _NO_ATTRIBUTES else None
    found: Dict[str, str] = {}
    for known in sorted(names):
        with suppress(OSError):
            found[known] = base64.b64encode(os.getxattr(place, known, follow_symlinks=False)).decode()
    return found


def _chunks(descriptor: int, first: bytes, most: int) -> Iterable[Union[bytes, memoryview]]:
    if first:
        yield first
    room = memoryview(bytearray(CHUNK))
    left = most
    while left > 0:
        count = os.readv(descriptor, [room[:left]])
        if not count:
            return
        yield room[:count]
        left -= count


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
