"""Ledgers of any bytes whatever, signed as if they were honest: what somebody with a stolen key could write."""

from __future__ import annotations

from collections.abc import Sequence

from vitrify.ledger.checkpoint import Checkpoint, Signer
from vitrify.ledger.stored import join_bundle
from vitrify.ledger.tree import TILE, bundles, leaf, root, tiles


def forge(entries: Sequence[bytes], *, origin: str, signer: Signer) -> dict[str, bytes]:
    """The files of a ledger with exactly these entries, unchecked; each path with its content."""
    files = {tile.path: join_bundle(entries[tile.index * TILE : tile.index * TILE + tile.width]) for tile in bundles(len(entries))}
    leaves = [leaf(entry) for entry in entries]
    for tile in tiles(len(entries)):
        span = TILE ** (tile.level or 0)
        first = tile.index * TILE
        hashes = [root(leaves[at * span : (at + 1) * span]) for at in range(first, first + tile.width)]
        files[tile.path] = b"".join(hashes)
    note = signer.sign(Checkpoint(origin, len(entries), root(leaves)).text())
    return {**files, "state": note, "checkpoint": note}
