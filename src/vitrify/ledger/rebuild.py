"""A ledger put together again from the entries that several hosts kept of it, under a checkpoint that one of them saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.ledger.checkpoint import Checkpoint
from vitrify.ledger.entry import decode
from vitrify.ledger.log import CHECKPOINT, STATE
from vitrify.ledger.stored import LedgerStore, join_bundle
from vitrify.ledger.tree import TILE, bundles, leaf, root, tiles


@dataclass(frozen=True)
class Found:
    """The newest checkpoint that was seen, with its note, and every entry that was kept by its number."""

    head: Checkpoint
    note: bytes
    entries: Mapping[int, bytes]

    @property
    def missing(self) -> tuple[int, ...]:
        """The numbers of the entries that nobody kept."""
        return tuple(number for number in range(self.head.size) if number not in self.entries)


def numbered(lines: Iterable[str]) -> dict[int, bytes]:
    """The entries in these lines by their own numbers; what is no whole entry (a line that was cut) is none."""
    found: dict[int, bytes] = {}
    for line in lines:
        try:
            entry = decode(line.encode("utf-8", "replace"))
            if entry.encode() == line.encode():
                found[entry.sequence] = line.encode()
        except (IntegrityFailed, ValueError):
            continue
    return found


def rebuild(store: LedgerStore, found: Found) -> None:
    """Write the whole ledger, its checkpoint last; IntegrityFailed where the entries are not those that were signed."""
    if found.missing:
        raise IntegrityFailed("the ledger cannot be rebuilt", why=f"nobody kept {len(found.missing)} of its entries")
    entries = [found.entries[number] for number in range(found.head.size)]
    leaves = [leaf(entry) for entry in entries]
    if root(leaves) != found.head.root:
        raise IntegrityFailed("the ledger cannot be rebuilt", why="the entries that were kept are not those that were signed")
    with store.lock():
        for tile in bundles(len(entries)):
            store.write(tile.path, join_bundle(entries[tile.index * TILE : tile.index * TILE + tile.width]))
        row, level = leaves, 0
        for tile in tiles(len(entries)):
            if tile.level != level:
                level, row = level + 1, [root(row[at : at + TILE]) for at in range(0, len(row) - TILE + 1, TILE)]
            store.write(tile.path, b"".join(row[tile.index * TILE : tile.index * TILE + tile.width]))
        store.write(STATE, found.note)
        store.write(CHECKPOINT, found.note)
