"""Reads layers that others packed: every spelling of a tar archive that images are found in, with the same limits as our own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Dict, Final, Iterator, Optional, Tuple

from vitrify.core.diagnostic import Denied, IntegrityFailed
from vitrify.onhost.layout import DEEPEST
from vitrify.onhost.untar import DIRECTORY, FILE, LARGEST_HEADER, LARGEST_ID, LINK, LONGEST, Member, decoded, text_of

HARD: Final = b"1"
DEVICES: Final = (b"3", b"4")
PIPE: Final = b"6"

_FILES: Final = (FILE, b"\0", b"7")
_PAX: Final = b"x"
_PAX_FOR_ALL: Final = b"g"
_LONG_NAME: Final = b"L"
_LONG_LINK: Final = b"K"
_BLOCK: Final = 512
_CHUNK: Final = 1 << 20
_RECORD: Final = re.compile(rb"([0-9]{1,7}) ([^=\n]{1,200})=")
_NUMBER: Final = re.compile(rb"[0-9]{1,19}(?:\.[0-9]*)?")
_MOST_HEADERS: Final = 8
"""Headers that may stand before one entry."""

Records = Dict[bytes, bytes]


@dataclass(frozen=True)
class _Head:
    """What an entry's headers say together."""

    block: bytes
    records: Records


class ForeignArchive:
    """A layer being read, front to back. Raises IntegrityFailed for a broken archive, Denied for a dangerous one.

    Names lose `./` and slashes in front, as with every reader of images; `..` is refused wherever it stands in one. The entry
    of the root itself is left out. Members may be of the types `HARD`, `DEVICES` and `PIPE` too; what to do with these is the
    caller's decision.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._left = 0
        self._padding = 0
        self._for_all: Records = {}

    def members(self) -> Iterator[Member]:
        """Every entry in order; what was not read of the content before is skipped."""
        while True:
            for _ in self.content():
                pass
            head = self._head()
            if head is None:
                return
            member = _member(head)
            self._left, self._padding = member.size, -member.size % _BLOCK
            if member.parts:
                yield member

    def content(self) -> Iterator[bytes]:
        """The content of the entry that came last."""
        while self._left:
            data = self._exactly(min(self._left, _CHUNK))
            self._left -= len(data)
            yield data
        self._exactly(self._padding)
        self._padding = 0

    def _head(self) -> Optional[_Head]:
        """The header of the next entry, with all that stands before it; None at the end."""
        records: Records = {}
        for _ in range(_MOST_HEADERS):
            block = self._block(within=bool(records))
            if block is None:
                return None
            kind = block[156:157]
            if kind == _PAX:
                records.update(self._records(block))
            elif kind == _PAX_FOR_ALL:
                self._for_all.update(self._records(block))
            elif kind in (_LONG_NAME, _LONG_LINK):
                records[b"path" if kind == _LONG_NAME else b"linkpath"] = self._body(block).partition(b"\0")[0]
            else:
                return _Head(block, {**self._for_all, **records})
        raise Denied("an image layer holds more headers than entries")

    def _block(self, *, within: bool) -> Optional[bytes]:
        block = self._read(_BLOCK)
        if block in (b"", bytes(_BLOCK)):
            if within:
                raise IntegrityFailed("an image layer ends behind a header that belongs to an entry")
            if block and self._read(_BLOCK).strip(b"\0"):
                raise IntegrityFailed("an image layer goes on behind an empty block")
            return None
        if len(block) != _BLOCK:
            raise IntegrityFailed("an image layer ends too early")
        said, rest = _octal(block[148:156]), block[:148] + block[156:]
        signed = sum(byte - 256 if byte > 127 else byte for byte in rest)
        if said not in (sum(rest) + 256, signed + 256):
            raise IntegrityFailed("an image layer is not a tar archive", why="the checksum of a header differs")
        return block

    def _body(self, block: bytes) -> bytes:
        size = _number(block[124:136])
        if size > LARGEST_HEADER:
            raise Denied("an image layer holds a header of an impossible size", why=f"{size} bytes")
        body = self._exactly(size)
        self._exactly(-size % _BLOCK)
        return body

    def _records(self, block: bytes) -> Records:
        body = self._body(block)
        found: Records = {}
        while body.strip(b"\0"):
            match = _RECORD.match(body)
            length = int(match.group(1)) if match else 0
            if match is None or length <= match.end() or length > len(body) or body[length - 1 : length] != b"\n":
                raise IntegrityFailed("an image layer holds a malformed extended header", why=repr(body[:40]))
            if match.group(2).startswith(b"GNU.sparse."):
                raise Denied("an image layer holds a file with holes in a form that is not read here", hint="pack it without --sparse")
            found[match.group(2)] = body[match.end() : length - 1]
            body = body[length:]
        return found

    def _exactly(self, size: int) -> bytes:
        data = self._read(size) if size else b""
        if len(data) != size:
            raise IntegrityFailed("an image layer ends too early")
        return data


def _member(head: _Head) -> Member:
    block, records = head.block, head.records
    kind, name = block[156:157], _name(block, records)
    if kind in _FILES:
        kind = DIRECTORY if name.endswith(b"/") and kind != b"7" else FILE
    if kind not in (FILE, HARD, LINK, DIRECTORY, PIPE, *DEVICES):
        raise Denied(f"an image layer holds an entry of a kind that is not read here: {name[:200]!r}", why=f"type {kind!r}")
    link = records.get(b"linkpath", text_of(block[157:257]))
    if kind in (LINK, HARD) and not link:
        raise Denied(f"an image layer holds a link to nothing: {name[:200]!r}")
    return Member(
        parts=_parts(name),
        type=kind,
        mode=_number(block[100:108]) & 0o7777,
        uid=_counted(records.get(b"uid"), block[108:116], LARGEST_ID),
        gid=_counted(records.get(b"gid"), block[116:124], LARGEST_ID),
        size=_counted(records.get(b"size"), block[124:136], 2**62) if kind == FILE else 0,
        link="/".join(_parts(link)) if kind == HARD else _target(link) if kind == LINK else "",
    )


def _name(block: bytes, records: Records) -> bytes:
    """The name in its longest form: an extended header's, else prefix and name of the block."""
    if b"path" in records:
        return records[b"path"]
    name, prefix = text_of(block[:100]), text_of(block[345:500])
    return prefix + b"/" + name if prefix and block[257:263] == b"ustar\0" else name


def _parts(name: bytes) -> Tuple[str, ...]:
    parts = tuple(part for part in decoded(name).split("/") if part not in ("", "."))
    if len(name) > LONGEST or len(parts) > DEEPEST or any(part == ".." or len(part.encode()) > 255 for part in parts):
        raise Denied("an image layer names a path that it must not", why=repr(name[:200]))
    return parts


def _target(link: bytes) -> str:
    if len(link) > LONGEST:
        raise Denied("an image layer holds a link that is longer than any path", why=repr(link[:200]))
    return decoded(link)


def _counted(record: object, field: bytes, most: int) -> int:
    if isinstance(record, bytes) and not _NUMBER.fullmatch(record):
        raise Denied("an image layer holds a number that is none", why=repr(record[:40]))
    value = int(record.partition(b".")[0]) if isinstance(record, bytes) else _number(field)
    if not 0 <= value <= most:
        raise Denied("an image layer holds an impossible number", why=str(value))
    return value


def _number(field: bytes) -> int:
    """A number in octal digits, or in as many bytes as there are where the first one says so."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    return _octal(field)


def _octal(field: bytes) -> int:
    digits = field.strip(b"\0 ")
    if digits.strip(b"01234567"):
        raise IntegrityFailed("an image layer is not a tar archive", why=f"not an octal number: {field!r}")
    return int(digits, 8) if digits else 0
