"""Reads a layer's tar archive strictly: only what our own format may hold, each number checked before anything rests on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Dict, Final, Iterator, Tuple

from vitrify.core.diagnostic import Denied, IntegrityFailed
from vitrify.onhost.layout import DEEPEST

FILE: Final = b"0"
LINK: Final = b"2"
DIRECTORY: Final = b"5"

LARGEST_HEADER: Final = 1 << 20
"""Bytes of an extended header: it holds names and numbers, never content."""

_EXTENDED: Final = b"x"
_BLOCK: Final = 512
_CHUNK: Final = 1 << 20
_RECORD: Final = re.compile(rb"([0-9]{1,7}) (path|linkpath|size|uid|gid)=")
LONGEST: Final = 4096
"""Bytes of a path."""
LARGEST_ID: Final = 2**32 - 2


@dataclass(frozen=True)
class Member:
    """One entry. `parts` is its path, taken apart: never empty but for the root itself, never `..`."""

    parts: Tuple[str, ...]
    type: bytes
    mode: int
    uid: int
    gid: int
    size: int
    link: str = ""

    @property
    def path(self) -> str:
        """The path relative to the root."""
        return "/".join(self.parts)


class Archive:
    """A layer being read, front to back. Raises IntegrityFailed for a broken archive, Denied for a dangerous one."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._left = 0
        self._padding = 0

    def members(self) -> Iterator[Member]:
        """Every entry in order; what was not read of the content before is skipped."""
        while True:
            for _ in self.content():
                pass
            block = self._block()
            if block == bytes(_BLOCK):
                self._end()
                return
            records: Dict[bytes, bytes] = {}
            if block[156:157] == _EXTENDED:
                records, block = self._records(block), self._block()
            member = _member(block, records)
            self._left, self._padding = member.size, -member.size % _BLOCK
            yield member

    def content(self) -> Iterator[bytes]:
        """The content of the entry that came last."""
        while self._left:
            data = self._exactly(min(self._left, _CHUNK))
            self._left -= len(data)
            yield data
        self._exactly(self._padding)
        self._padding = 0

    def _block(self) -> bytes:
        block = self._exactly(_BLOCK)
        if block != bytes(_BLOCK) and sum(block[:148]) + 256 + sum(block[156:]) != _octal(block[148:156]):
            raise IntegrityFailed("an image layer is not a tar archive", why="the checksum of a header differs")
        return block

    def _records(self, block: bytes) -> Dict[bytes, bytes]:
        size = _octal(block[124:136])
        if size > LARGEST_HEADER:
            raise Denied("an image layer holds a header of an impossible size", why=f"{size} bytes")
        body = self._exactly(size)
        self._exactly(-size % _BLOCK)
        found: Dict[bytes, bytes] = {}
        while body:
            match = _RECORD.match(body)
            length = int(match.group(1)) if match else 0
            if match is None or length <= match.end() or length > len(body) or body[length - 1 : length] != b"\n":
                raise Denied("an image layer holds an extended header that is not of our format", why=repr(body[:40]))
            found[match.group(2)] = body[match.end() : length - 1]
            body = body[length:]
        return found

    def _end(self) -> None:
        if self._block() != bytes(_BLOCK) or self._read(1):
            raise IntegrityFailed("an image layer goes on behind its end")

    def _exactly(self, size: int) -> bytes:
        data = self._read(size) if size else b""
        if len(data) != size:
            raise IntegrityFailed("an image layer ends too early")
        return data


def _member(block: bytes, records: Dict[bytes, bytes]) -> Member:
    kind = block[156:157]
    name = records.get(b"path", text_of(block[:100]))
    if kind not in (FILE, LINK, DIRECTORY) or block[257:265] != b"ustar\x0000" or block[345:500].strip(b"\0"):
        why = f"type {kind!r}: an image holds files, folders and symbolic links alone"
        raise Denied(f"an image layer holds an entry that is not of our format: {name!r}", why=why)
    member = Member(
        parts=_parts(name),
        type=kind,
        mode=_octal(block[100:108]) & 0o7777,
        uid=_number(records.get(b"uid"), block[108:116], LARGEST_ID),
        gid=_number(records.get(b"gid"), block[116:124], LARGEST_ID),
        size=_number(records.get(b"size"), block[124:136], 2**62),
        link=decoded(records.get(b"linkpath", text_of(block[157:257]))),
    )
    if (member.size and kind != FILE) or bool(member.link) != (kind == LINK):
        raise Denied(f"an image layer holds an entry that contradicts itself: {member.path!r}")
    return member


def _parts(name: bytes) -> Tuple[str, ...]:
    parts = tuple(decoded(name[:-1] if name.endswith(b"/") else name).split("/"))
    if len(name) > LONGEST or len(parts) > DEEPEST or any(part in ("", ".", "..") or len(part.encode()) > 255 for part in parts):
        raise Denied("an image layer names a path that it must not", why=repr(name[:200]))
    return parts


def decoded(text: bytes) -> str:
    """A name; Denied where it is not UTF-8, or holds what no name can."""
    try:
        found = text.decode()
    except UnicodeDecodeError:
        raise Denied("an image layer holds a name that is not UTF-8", why=repr(text[:200])) from None
    if "\0" in found:
        raise Denied("an image layer holds a name with a NUL in it", why=repr(text[:200]))
    return found


def text_of(field: bytes) -> bytes:
    """A field of a header without what fills it up."""
    return field.partition(b"\0")[0]


def _number(record: object, field: bytes, most: int) -> int:
    if isinstance(record, bytes) and not (record.isdigit() and len(record) < 20):
        raise Denied("an image layer holds a number that is none", why=repr(record[:40]))
    value = int(record) if isinstance(record, bytes) else _octal(field)
    if value > most:
        raise Denied("an image layer holds an impossible number", why=str(value))
    return value


def _octal(field: bytes) -> int:
    digits = field.rstrip(b"\0 ")
    if not digits or digits.strip(b"01234567"):
        raise IntegrityFailed("an image layer is not a tar archive of our format", why=f"not an octal number: {field!r}")
    return int(digits, 8)
