"""Whether one Merkle tree begins with all of another, by the hashes of a proof (RFC 6962 section 2.1.2). Pure; it travels."""

from __future__ import annotations

import hashlib
from typing import List, Sequence, Tuple


def grown(old: Tuple[int, bytes], new: Tuple[int, bytes], proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree `new` (size, root) begins with all of `old`; everything begins with an empty one."""
    (before, old_root), (after, root) = old, new
    if before == 0:
        return not proof
    if before == after:
        return not proof and old_root == root
    if not 0 < before < after:
        return False
    left = list(proof)
    found = _roots(before, after, whole=True, left=left, known=old_root)
    return found == (old_root, root) and not left


def _roots(before: int, after: int, *, whole: bool, left: List[bytes], known: bytes) -> Tuple[bytes, bytes]:
    """The roots over the first `before` and all `after` leaves of one subtree, from what is left of the proof (its front is used up).

    Where the old tree is `whole` in the new one its root is not in the proof: it is the one that is `known`.
    """
    if before == after:
        if whole:
            return known, known
        part = left.pop(0) if left else b""
        return part, part
    half = 1 << ((after - 1).bit_length() - 1)
    if before <= half:
        inner, outer = _roots(before, half, whole=whole, left=left, known=known)
        return inner, _node(outer, left.pop(0) if left else b"")
    inner, outer = _roots(before - half, after - half, whole=False, left=left, known=known)
    first = left.pop(0) if left else b""
    return _node(first, inner), _node(first, outer)


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
