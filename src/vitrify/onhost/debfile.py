"""Reads what a `.deb` says of itself, and writes the index by which apt finds a folder of them."""

from __future__ import annotations

import io
import tarfile
from typing import IO, Iterator, Tuple

from vitrify.core.diagnostic import IntegrityFailed

_MAGIC = b"!<arch>\n"
_HEADER = 60
_LARGEST = 1 << 26


def control(deb: IO[bytes], *, name: str) -> str:
    """The control file of an archive; "" where this Python cannot unpack it. IntegrityFailed where it is no archive."""
    try:
        for member, content in _members(deb):
            if member.startswith("control.tar"):
                return _control(content)
    except (ValueError, tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, tarfile.CompressionError):
            return ""
        raise IntegrityFailed(f"{name} is no package file", why=str(error)) from error
    raise IntegrityFailed(f"{name} is no package file", why="it has no control file")


def _members(deb: IO[bytes]) -> Iterator[Tuple[str, bytes]]:
    """The small members, in order; what the package installs comes last and is not read."""
    if deb.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("it is no ar archive")
    while True:
        header = deb.read(_HEADER)
        if len(header) < _HEADER:
            return
        name, size = header[:16].decode("ascii", "replace").strip().rstrip("/"), int(header[48:58])
        if size > _LARGEST:
            raise ValueError(f"{name} is too large")
        if name.startswith("data.tar"):
            return
        yield name, deb.read(size + size % 2)[:size]


def _control(content: bytes) -> str:
    if content[:4] == b"\x28\xb5\x2f\xfd":
        raise tarfile.CompressionError("zstd")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.lstrip("./") == "control" and member.isfile() else None
            if file is not None:
                return file.read(_LARGEST).decode("utf-8", "replace")
    raise ValueError("its control archive holds no control file")


def entry(told: str, *, file: str, size: int, sha256: str) -> str:
    """One stanza of an index."""
    return f"{told.strip()}\nFilename: ./{file}\nSize: {size}\nSHA256: {sha256}\n"
