"""A receipt (C2SP tlog-proof), checked by whoever has nothing but it and the authors' public keys."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from vitrify.ledger.verify.entry import entry_problem
from vitrify.ledger.verify.note import Head, read_head, strict_base64, trusted_keys
from vitrify.ledger.verify.policy import Policy
from vitrify.ledger.verify.problems import Problems

_LARGEST = 1 << 20
_FIRST = b"c2sp.org/tlog-proof@v1"
_INDEX = re.compile(rb"index (0|[1-9][0-9]{0,17})")


@dataclass(frozen=True)
class Receipt:
    """What a receipt shows: this entry, at this place of that ledger; nothing where there are `problems`."""

    origin: str = ""
    size: int = 0
    number: int = 0
    entry: bytes = b""
    signed_by: tuple[str, ...] = ()
    witnessed_by: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def check_receipt(data: bytes, *, trust: Policy, origin: str | None = None) -> Receipt:
    """What these bytes show; whatever they are, what does not hold becomes a problem in words."""
    problems = Problems()
    trusted = trusted_keys(trust, problems)
    parts = _parts(data)
    if parts is None:
        return Receipt(problems=(*problems.found, "this is not a receipt"))
    entry, number, path, note = parts
    head = read_head(note, "the checkpoint", trusted, problems)
    if head is None:
        return Receipt(problems=tuple(problems.found))
    if origin is not None and head.origin != origin:
        problems.add(f"the checkpoint is of another ledger than {origin}")
    if len(head.witnessed_by) < trust.quorum:
        problems.add(f"the checkpoint is cosigned by {len(head.witnessed_by)} of {trust.quorum} witnesses")
    wrong = entry_problem(entry, number)
    if wrong:
        problems.add(f"the entry: {wrong}")
    if not _leads_to(head, entry, number, path):
        problems.add("the hashes do not lead from the entry to the root that was signed")
    return Receipt(head.origin, head.size, number, entry, head.signed_by, head.witnessed_by, tuple(problems.found))


def _parts(data: bytes) -> tuple[bytes, int, list[bytes], bytes] | None:
    proof, blank, note = data.partition(b"\n\n")
    first, *lines = proof.split(b"\n")
    if len(data) > _LARGEST or first != _FIRST or not blank or len(lines) < 2 or not lines[0].startswith(b"extra "):
        return None
    entry, match = strict_base64(lines[0][6:].decode("latin-1")), _INDEX.fullmatch(lines[1])
    path = [strict_base64(line.decode("latin-1")) for line in lines[2:]]
    whole = [part for part in path if part is not None and len(part) == 32]
    if entry is None or match is None or len(whole) < len(path):
        return None
    return entry, int(match[1]), whole, note


def _leads_to(head: Head, entry: bytes, number: int, path: Sequence[bytes]) -> bool:
    """Walk down from the root to the entry, noting at each fork on which side it lies; then hash back up by the path."""
    if number >= head.size:
        return False
    lefts: list[bool] = []
    start, end = 0, head.size
    while end - start > 1:
        middle = start + (1 << ((end - start - 1).bit_length() - 1))
        lefts.append(number < middle)
        start, end = (start, middle) if number < middle else (middle, end)
    if len(lefts) != len(path):
        return False
    found = hashlib.sha256(b"\x00" + entry).digest()
    for left, other in zip(reversed(lefts), path, strict=True):
        found = hashlib.sha256(b"\x01" + (found + other if left else other + found)).digest()
    return found == head.root
