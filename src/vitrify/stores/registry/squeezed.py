"""Compressed layers: made once, the same bytes for the same compressor; and opened with a limit on what may come out."""

from __future__ import annotations

import hashlib
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from vitrify.core.diagnostic import Denied, IntegrityFailed
from vitrify.core.digest import PLAIN

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP, ZSTD, PLAINLY = "gzip", "zstd", ""

_CHUNK: Final = 1 << 20
_GZIP_LEVEL: Final = 6
_ZSTD_LEVEL: Final = 3
_WIDEST_WINDOW: Final = 27
"""2^27 bytes: what a decompressor may be made to hold in memory."""


@dataclass(frozen=True)
class Limit:
    """How much may come out of an image: at most `size` in all, and beyond `free` bytes of a blob at most `ratio` times what went in."""

    size: int = 64 << 30
    free: int = 1 << 30
    ratio: int = 200


class Budget:
    """What may still come out of the blobs of one image. Several threads may draw on it."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._left = limit.size
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Draw on it; Denied where nothing is left."""
        with self._lock:
            self._left -= count
            if self._left < 0:
                raise Denied("the image is larger than any image", why=f"more than {self.limit.size} bytes come out of its layers")


@dataclass(frozen=True)
class Measured:
    """What some bytes are."""

    digest: str
    size: int


def squeeze(source: Path, into: Path, *, form: str, saw: Callable[[int], None]) -> Measured:
    """Compress a file. No name, no time and no count of processors decides a byte of it."""
    sha256, size = hashlib.sha256(), 0
    with source.open("rb") as file, into.open("xb") as target:
        for data in _compressed(_read(file, saw), form):
            sha256.update(data)
            size += len(data)
            target.write(data)
    return Measured(PLAIN + sha256.hexdigest(), size)


def _read(file: BinaryIO, saw: Callable[[int], None]) -> Iterator[bytes]:
    while data := file.read(_CHUNK):
        saw(len(data))
        yield data


def _compressed(chunks: Iterator[bytes], form: str) -> Iterator[bytes]:
    if form == GZIP:
        # With 31 zlib writes a gzip header without a name, and with the time 0.
        deflate = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 31)
        for data in chunks:
            yield deflate.compress(data)
        yield deflate.flush()
    else:
        frame = zstd.ZstdCompressor(level=_ZSTD_LEVEL)
        for data in chunks:
            yield frame.compress(data)
        yield frame.flush()


def opened(source: BinaryIO, *, form: str, budget: Budget) -> Iterator[bytes]:
    """What is in a blob, in pieces that fit memory. IntegrityFailed for a broken one, Denied for one that never ends."""
    out, came, limit = 0, 0, budget.limit
    opener = _opener(form)
    while data := source.read(_CHUNK):
        came += len(data)
        for piece in opener.feed(data):
            out += len(piece)
            budget.take(len(piece))
            if out > limit.free and out > came * limit.ratio:
                why = f"{came} bytes became more than {out - len(piece)}"
                raise Denied("an image layer grows beyond all measure when it is opened", why=why)
            yield piece
    opener.end()


class _Plain:
    """A blob that is not compressed."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def end(self) -> None:
        """It may end anywhere."""


class _Gzip:
    """One gzip member or several, one behind the other."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(31)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while data:
                if self._inflate.eof:
                    self._inflate = zlib.decompressobj(31)
                self._begun = True
                yield self._inflate.decompress(data, _CHUNK)
                data = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            while not self._inflate.eof and (more := self._inflate.decompress(b"", _CHUNK)):
                yield more
        except zlib.error as error:
            raise _not_of(GZIP, str(error)) from None

    def end(self) -> None:
        if not (self._begun and self._inflate.eof):
            raise _not_of(GZIP, "it ends too early")


class _Zstd:
    """One zstd frame or several, skippable ones among them."""

    def __init__(self) -> None:
        self._frame = self._fresh()
        self._begun = False

    @staticmethod
    def _fresh() -> zstd.ZstdDecompressor:
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WIDEST_WINDOW})

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            while data:
                if self._frame.eof:
                    self._frame = self._fresh()
                self._begun = True
                yield self._frame.decompress(data, _CHUNK)
                while not self._frame.eof and not self._frame.needs_input:
                    yield self._frame.decompress(b"", _CHUNK)
                data = self._frame.unused_data if self._frame.eof else b""
        except (zstd.ZstdError, ValueError, MemoryError) as error:
            raise _not_of(ZSTD, str(error)) from None

    def end(self) -> None:
        if not (self._begun and self._frame.eof):
            raise _not_of(ZSTD, "it ends too early")


def _opener(form: str) -> _Plain | _Gzip | _Zstd:
    return _Gzip() if form == GZIP else _Zstd() if form == ZSTD else _Plain()


def _not_of(form: str, why: str) -> IntegrityFailed:
    return IntegrityFailed(f"an image layer is not the {form} that it should be", why=ascii(why)[1:121])
