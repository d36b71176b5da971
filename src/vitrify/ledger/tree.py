"""Merkle arithmetic of the ledger, pure: RFC 6962 hashes, and the tiles in which C2SP tlog-tiles keeps them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

TILE = 256
"""Hashes in a full tile, and entries in a full bundle."""
HASH = 32
"""Bytes in a hash."""
EMPTY = hashlib.sha256(b"").digest()
"""The root of a tree without entries."""

_LEVELS_IN_A_TILE = 8

HashAt = Callable[[int, int], bytes]
"""`hash_at(height, index)`: the hash over entries `index * 2**height` up to the next multiple; asked of whole subtrees only."""


def leaf(data: bytes) -> bytes:
    """The hash of one entry."""
    return hashlib.sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes (or, alike, over the roots of equally large full subtrees)."""
    if not leaves:
        return EMPTY
    row = list(leaves)
    while len(row) > 1:
        paired = [node(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
        # The one left over moves up unhashed: that is what makes this the tree of RFC 6962 for every size.
        row = paired + row[len(paired) * 2 :]
    return row[0]


def subtree(start: int, end: int, hash_at: HashAt) -> bytes:
    """The root over entries `start` up to `end`, where `start` is a place at which RFC 6962 splits a tree."""
    size = end - start
    if size & (size - 1) == 0:
        return hash_at(size.bit_length() - 1, start // size)
    middle = start + split(size)
    return node(subtree(start, middle, hash_at), subtree(middle, end, hash_at))


def split(size: int) -> int:
    """How many leaves of a tree of `size` > 1 are in its left half: the largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


@dataclass(frozen=True)
class Tile:
    """One stored file of hashes, or one bundle of entries (`level` None); partial where `width` < 256."""

    level: int | None
    index: int
    width: int = TILE

    @property
    def full_path(self) -> str:
        """Where it is once full."""
        groups = [f"{self.index % 1000:03d}"]
        rest = self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        return "/".join(["tile", "entries" if self.level is None else str(self.level), *groups])

    @property
    def partial_folder(self) -> str:
        """Where its narrower versions are."""
        return f"{self.full_path}.p"

    @property
    def path(self) -> str:
        """Where it is at this width."""
        return self.full_path if self.width == TILE else f"{self.partial_folder}/{self.width}"


def tiles(size: int) -> Iterator[Tile]:
    """Every tile of hashes of a tree of `size` entries, level by level."""
    level = 0
    while size:
        yield from _row(level, size)
        level, size = level + 1, size // TILE


def bundles(size: int) -> Iterator[Tile]:
    """Every bundle of entries of a tree of `size` entries."""
    yield from _row(None, size)


def _row(level: int | None, hashes: int) -> Iterator[Tile]:
    full, width = divmod(hashes, TILE)
    for index in range(full):
        yield Tile(level, index)
    if width:
        yield Tile(level, full, width)


def edge_tiles(size: int) -> tuple[Tile, ...]:
    """The tile being filled at each level, up to the level that the next entry may open: width 0 where the next hash opens a tile."""
    found = [Tile(0, size // TILE, size % TILE)]
    while size:
        size //= TILE
        found.append(Tile(len(found), size // TILE, size % TILE))
    return tuple(found)


def place(height: int, index: int) -> tuple[int, int, int, int]:
    """Which tile holds a subtree's leaves: its level and index, and from where to where in it."""
    level, within = divmod(height, _LEVELS_IN_A_TILE)
    first = index << within
    return level, first // TILE, first % TILE, first % TILE + (1 << within)


Edge = tuple[tuple[bytes, ...], ...]
"""The hashes in the tile being filled, at each level: all that growing a tree and knowing its root takes."""


def edge_root(edge: Edge) -> bytes:
    """The root of the tree whose edge this is."""
    found: bytes | None = None
    for row in edge:
        for part in reversed(_whole_subtrees(row)):
            found = part if found is None else node(part, found)
    return EMPTY if found is None else found


def _whole_subtrees(row: Sequence[bytes]) -> list[bytes]:
    parts, start = [], 0
    while start < len(row):
        size = 1 << ((len(row) - start).bit_length() - 1)
        parts.append(root(row[start : start + size]))
        start += size
    return parts


def grow(edge: Edge, leaves: Sequence[bytes]) -> tuple[Edge, tuple[tuple[bytes, ...], ...]]:
    """The edge after these leaves, and the new content of the tile being filled at each level that they change.

    The leaves fit in the level-0 tile being filled: a caller with more calls again.
    """
    if len(edge[0]) + len(leaves) > TILE:
        raise ValueError("more leaves than the tile being filled can take")
    rows, changed = list(edge), []
    added: tuple[bytes, ...] = tuple(leaves)
    level = 0
    while added:
        if level == len(rows):
            rows.append(())
        content = rows[level] + added
        changed.append(content)
        full = len(content) == TILE
        rows[level] = () if full else content
        added = (root(content),) if full else ()
        level += 1
    return tuple(rows), tuple(changed)
