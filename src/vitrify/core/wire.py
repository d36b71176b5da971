"""Frames between the control machine and a target: four bytes of length, one of type, then JSON or a blob.

The format is specified in `docs/formats/wire.md`. Reader and writer take callables, so that this stays free of I/O.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Callable, Tuple, Union

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import JSONObject

VERSION = 1
LARGEST = 1 << 30
_HEADER = struct.Struct(">IB")
_JSON, _BLOB = 1, 2


@dataclass(frozen=True)
class Blob:
    """A content and the digest it is asked for by (`sha256:…`, or `hmac-sha256:…` of a secret)."""

    digest: str
    content: bytes


Message = Union[JSONObject, Blob]


def encode(message: Message) -> bytes:
    """One frame."""
    if isinstance(message, Blob):
        name = message.digest.encode("ascii")
        body, kind = struct.pack(">H", len(name)) + name + message.content, _BLOB
    else:
        body, kind = json.dumps(message, separators=(",", ":")).encode(), _JSON
    return _HEADER.pack(len(body), kind) + body


def header(data: bytes) -> Tuple[int, int]:
    """Length and type of the body that follows these five bytes; IntegrityFailed on anything but a frame of ours."""
    length, kind = _HEADER.unpack(data)
    if kind not in (_JSON, _BLOB) or length > LARGEST:
        raise IntegrityFailed("the other side does not speak vitrify's protocol", why=f"a frame began with {data!r}")
    return length, kind


HEADER_SIZE = _HEADER.size


def decode(kind: int, body: bytes) -> Message:
    """The message in a body."""
    if kind == _BLOB:
        return _decode_blob(body)
    try:
        data = json.loads(body)
    except ValueError as error:
        raise IntegrityFailed("the other side sent something that is not JSON", why=str(error)) from None
    if not isinstance(data, dict):
        raise IntegrityFailed("the other side sent JSON that is not an object")
    return data


def _decode_blob(body: bytes) -> Blob:
    end = 2 + int.from_bytes(body[:2], "big")
    name = body[2:end]
    if len(body) < max(end, 2) or not name.isascii():
        raise IntegrityFailed("the other side sent a blob without a whole name")
    return Blob(name.decode("ascii"), body[end:])


def receive(read: Callable[[int], bytes]) -> Message:
    """The next message; EOFError where the other side is gone. `read(n)` returns n bytes, fewer only at the end."""
    start = read(HEADER_SIZE)
    if len(start) < HEADER_SIZE:
        raise EOFError
    length, kind = header(start)
    body = read(length)
    if len(body) < length:
        raise EOFError
    return decode(kind, body)
