"""A ledger of a known size, read from its store: hashes from tiles, entries from bundles, nothing beyond that size."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.ledger.tree import HASH, TILE, Edge, Tile, bundles, edge_tiles, place, root, subtree

_LENGTH = struct.Struct(">H")


class LedgerStore(Protocol):
    """Keeps the files of one ledger by relative path (`tile/0/x001/234.p/7`)."""

    def read(self, path: str) -> bytes | None:
        """The content; None where there is none."""

    def write(self, path: str, content: bytes) -> None:
        """Create or replace, atomically; durable once it returns."""

    def write_all(self, files: Mapping[str, bytes]) -> None:
        """Create or replace each of these, atomically and in this order; all are durable once it returns. Costs less than one by one."""

    def publish(self, path: str, content: bytes) -> None:
        """As `write`, but a power cut may bring back what was there before: for what is durable elsewhere already."""

    def paths(self, below: str) -> tuple[str, ...]:
        """The paths of all files in this folder, at any depth ("": the whole ledger); empty where it does not exist."""

    def discard(self, path: str) -> None:
        """Remove this file, or this folder with all in it; nothing there is fine. Need not be durable."""

    def lock(self) -> AbstractContextManager[object]:
        """Hold the ledger against all other writers, of any process; `Busy` where it cannot be had in time."""


@dataclass(frozen=True)
class Stored:
    """The first `size` entries."""

    store: LedgerStore
    size: int

    def edge(self) -> Edge:
        """The hashes in the tile being filled, at each level."""
        return tuple(tuple(self._hashes(tile)) if tile.width else () for tile in edge_tiles(self.size))

    def hash_at(self, height: int, index: int) -> bytes:
        """The root of a whole subtree, out of the one tile that holds its leaves."""
        level, tile, start, end = place(height, index)
        return root(self._hashes(self._tile(level, tile))[start:end])

    def root_of(self, size: int) -> bytes:
        """The root over the first `size` entries, at most as many as are here."""
        return root([]) if size == 0 else subtree(0, size, self.hash_at)

    def open_bundle(self) -> tuple[bytes, ...]:
        """The entries in the bundle being filled."""
        tile = Tile(None, self.size // TILE, self.size % TILE)
        return tuple(self._entries(tile)) if tile.width else ()

    def entries(self, start: int) -> Iterator[tuple[int, bytes]]:
        """Number and bytes of each entry from `start` on."""
        for tile in bundles(self.size):
            first = tile.index * TILE
            if first + tile.width > start:
                yield from ((first + at, data) for at, data in enumerate(self._entries(tile)) if first + at >= start)

    def _tile(self, level: int, index: int) -> Tile:
        full, width = divmod(self.size >> (8 * level), TILE)
        return Tile(level, index, width if index == full else TILE)

    def _hashes(self, tile: Tile) -> list[bytes]:
        content = self._content(tile)
        if len(content) % HASH or len(content) < tile.width * HASH:
            raise IntegrityFailed(f"the ledger's {tile.path} has {len(content)} bytes", why=f"{tile.width} hashes belong there")
        return [content[at : at + HASH] for at in range(0, tile.width * HASH, HASH)]

    def _entries(self, tile: Tile) -> list[bytes]:
        entries = split_bundle(self._content(tile))
        if entries is None or len(entries) < tile.width:
            raise IntegrityFailed(f"the ledger's {tile.path} is not a bundle of {tile.width} entries")
        return list(entries[: tile.width])

    def _content(self, tile: Tile) -> bytes:
        content = self.store.read(tile.path)
        if content is None:
            # Another process may just have filled this tile and put the partial ones away.
            content = self.store.read(tile.full_path)
        if content is None:
            raise IntegrityFailed(f"the ledger lacks {tile.path}")
        return content


def join_bundle(entries: Sequence[bytes]) -> bytes:
    """The bundle of these entries: each behind its length."""
    return b"".join(_LENGTH.pack(len(entry)) + entry for entry in entries)


def split_bundle(content: bytes) -> tuple[bytes, ...] | None:
    """The entries in a bundle; None where the lengths do not add up."""
    entries, at = [], 0
    while at < len(content):
        if at + _LENGTH.size > len(content):
            return None
        (length,) = _LENGTH.unpack_from(content, at)
        at += _LENGTH.size + length
        entries.append(content[at - length : at])
    return tuple(entries) if at == len(content) else None
