"""How a layer is put together from what a host may have already: its own bytes between the contents, and the contents by digest.

A recipe is deflated records: `L`, four bytes of length, so many bytes; or `C`, 32 bytes of sha256, four bytes of length. Numbers are
big-endian. It holds for any archive, ours or another's, because nothing in it is understood: what comes out is the layer, byte for byte.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Iterable, Iterator, Union

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import PLAIN

LARGEST_CONTENT = 16 << 20
"""Bytes of one content: a longer file is several, so that neither side ever holds more."""

LARGEST = 1 << 30
"""Bytes of records that are read at most."""

_LITERAL = struct.Struct(">cI")
_CONTENT = struct.Struct(">c32sI")


@dataclass(frozen=True)
class Literal:
    """Bytes that stand in the recipe itself."""

    data: bytes


@dataclass(frozen=True)
class Piece:
    """A content of a file, or a part of a long one."""

    digest: str
    size: int


Part = Union[Literal, Piece]


def packed(parts: Iterable[Part]) -> bytes:
    """The recipe of these parts, in order; literals that follow each other become one."""
    out = bytearray()
    pending = bytearray()
    for part in parts:
        if isinstance(part, Literal):
            pending += part.data
            continue
        _flush(pending, out)
        out += _CONTENT.pack(b"C", bytes.fromhex(part.digest[len(PLAIN) :]), part.size)
    _flush(pending, out)
    return zlib.compress(bytes(out), 6)


def _flush(pending: bytearray, out: bytearray) -> None:
    if pending:
        out += _LITERAL.pack(b"L", len(pending)) + pending
        pending.clear()


def parts(recipe: bytes) -> Iterator[Part]:
    """The parts of a recipe; IntegrityFailed where it is none, or holds more than `LARGEST` bytes."""
    data = _inflated(recipe)
    at = 0
    try:
        while at < len(data):
            if data[at : at + 1] == b"L":
                _, length = _LITERAL.unpack_from(data, at)
                at += _LITERAL.size
                if len(data) - at < length:
                    raise _broken()
                yield Literal(data[at : at + length])
                at += length
            else:
                kind, digest, size = _CONTENT.unpack_from(data, at)
                if kind != b"C" or not 0 < size <= LARGEST_CONTENT:
                    raise _broken()
                yield Piece(PLAIN + digest.hex(), size)
                at += _CONTENT.size
    except struct.error:
        raise _broken() from None


def _inflated(recipe: bytes) -> bytes:
    machine = zlib.decompressobj()
    try:
        data = machine.decompress(recipe, LARGEST)
    except zlib.error:
        raise _broken() from None
    if not machine.eof or machine.unconsumed_tail:
        raise _broken()
    return data


def _broken() -> IntegrityFailed:
    return IntegrityFailed("the recipe of a layer cannot be read", hint="run the same command again")
