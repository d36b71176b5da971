"""Inclusion and consistency proofs (RFC 6962 section 2.1, RFC 9162 section 2.1.3 and 2.1.4), made and checked. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from vitrify.ledger.tree import HashAt, node, split, subtree

Proof = tuple[bytes, ...]
"""Hashes, from the leaves upwards."""


def inclusion(index: int, size: int, hash_at: HashAt) -> Proof:
    """What shows that entry `index` is in the tree of `size` entries."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} entries has no entry {index}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(subtree(middle, end, hash_at))
            end = middle
        else:
            path.append(subtree(start, middle, hash_at))
            start = middle
    return tuple(reversed(path))


def includes(root: bytes, size: int, *, leaf: bytes, index: int, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that `leaf` is entry `index` of the tree with this root and size."""
    if not 0 <= index < size:
        return False
    found, at, last = leaf, index, size - 1
    for part in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node(part, found)
            at, last = _past_the_lone(at, last)
        else:
            found = node(found, part)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def _past_the_lone(at: int, last: int) -> tuple[int, int]:
    """Skip the rows in which a last, even node has no partner and so moves up unhashed."""
    while not at & 1 and at:
        at, last = at >> 1, last >> 1
    return at, last


def consistency(old: int, size: int, hash_at: HashAt) -> Proof:
    """What shows that the tree of `size` entries begins with all of the tree of `old` entries."""
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} entries holds none of {old}")
    if old in (0, size):
        return ()
    path: list[bytes] = []
    start, end, whole = 0, size, True
    while old != end:
        middle = start + split(end - start)
        if old <= middle:
            path.append(subtree(middle, end, hash_at))
            end = middle
        else:
            path.append(subtree(start, middle, hash_at))
            start, whole = middle, False
    if not whole:
        path.append(subtree(start, end, hash_at))
    return tuple(reversed(path))


def extends(old_root: bytes, old: int, *, root: bytes, size: int, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree (root, size) begins with all of the tree (old_root, old), for `old` > 0.

    Everything extends the empty tree, so nothing is shown about it: `old` 0 is True only with an empty proof.
    """
    if old in (0, size):
        return not proof and (old == 0 or old_root == root)
    if not 0 < old < size:
        return False
    path = list(proof)
    if old & (old - 1) == 0:
        # The old tree is a whole subtree of the new one: its root is the first hash, and is not sent.
        path.insert(0, old_root)
    return _climbs(path, old, size) == (old_root, root) if path else False


def _climbs(path: Sequence[bytes], old: int, size: int) -> tuple[bytes, bytes] | None:
    """The two roots that the path leads to; None where it has the wrong length."""
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_found = found = path[0]
    for part in path[1:]:
        if last == 0:
            return None
        if at & 1 or at == last:
            old_found, found = node(part, old_found), node(part, found)
            at, last = _past_the_lone(at, last)
        else:
            found = node(found, part)
        at, last = at >> 1, last >> 1
    return (old_found, found) if last == 0 else None
