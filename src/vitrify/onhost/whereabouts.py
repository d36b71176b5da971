"""Where on this host a content lies: in which layer or file, and at which byte. What is found is believed by its digest alone."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Mapping, Tuple

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import PLAIN, digest_bytes
from vitrify.core.recipe import Piece
from vitrify.onhost.layout import blob_path

_ROW = struct.Struct(">32sQI")
MOST = 200
"""Layers that are looked into at most, the newest first: reading more of their lists would cost more than it saves."""


@dataclass
class Whereabouts:
    """Digest -> file, offset and length."""

    _known: Dict[str, Tuple[Path, int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, layout: str, lists: Path) -> Whereabouts:
        """All contents of the layers in a layout whose list lies in `lists`, named by the layer's digest in hex."""
        found = cls()
        files = sorted(lists.iterdir(), key=lambda file: -file.stat().st_mtime_ns) if lists.is_dir() else []
        for file in files[:MOST]:
            blob = blob_path(layout, PLAIN + file.name) if len(file.name) == 64 else None
            if blob is not None and blob.exists():
                found._read(file, blob)
        return found

    @staticmethod
    def packed(places: Mapping[str, Tuple[int, int]]) -> bytes:
        """The list of a layer: digest -> offset and length."""
        rows = sorted(places.items())
        return b"".join(_ROW.pack(bytes.fromhex(digest[len(PLAIN) :]), offset, size) for digest, (offset, size) in rows)

    def _read(self, file: Path, blob: Path) -> None:
        with suppress(OSError, struct.error):
            for digest, offset, size in _ROW.iter_unpack(file.read_bytes()):
                self._known.setdefault(PLAIN + digest.hex(), (blob, offset, size))

    def add_file(self, path: Path, places: Mapping[str, Tuple[int, int]]) -> None:
        """Contents that lie in this file."""
        for digest, (offset, size) in places.items():
            self._known[digest] = (path, offset, size)

    def has(self, digest: str) -> bool:
        """Whether the content is here, unaltered: looking costs reading it, and asking for it again would cost more."""
        if digest not in self._known:
            return False
        path, offset, size = self._known[digest]
        if _holds(path, offset, size, digest):
            return True
        del self._known[digest]
        return False

    def read(self, piece: Piece) -> bytes:
        """The content; IntegrityFailed where it is not here."""
        if piece.digest not in self._known:
            raise IntegrityFailed(f"the content {piece.digest} is not here")
        path, offset, size = self._known[piece.digest]
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(size)


def _holds(path: Path, offset: int, size: int, digest: str) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return digest_bytes(file.read(size)) == digest
    except OSError:
        return False
