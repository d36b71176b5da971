"""Which files a ledger of some size has, and what else lies among them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vitrify.ledger.verify.problems import Problems, shown

WIDE = 256
_TILE = re.compile(r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


@dataclass(frozen=True)
class Listing:
    """The listed files that the walk itself would not come to."""

    narrower: Mapping[tuple[int | None, int], Sequence[int]]
    """Level (None: entries) and index of a tile -> widths at which older partial versions of it are there."""
    unsigned: Sequence[str]
    """Files beyond the signed tree, as an interrupted append leaves them."""


def sort_paths(paths: Iterable[str], size: int, problems: Problems) -> Listing:
    """Sort all files of a ledger of this size; one that has no place in it is a problem."""
    narrower: dict[tuple[int | None, int], list[int]] = {}
    unsigned: list[str] = []
    # As far as one append, which never crosses the end of a bundle, can have got before it was interrupted.
    reach = (size // WIDE + 1) * WIDE
    for path in sorted(paths):
        if path in ("checkpoint", "state"):
            continue
        place = _place(path)
        if place is None:
            problems.add(f"{shown(path)} is not a file of a ledger")
            continue
        level, index, width = place
        here, end = size >> (8 * (level or 0)), index * WIDE + width
        if end > here and end <= reach >> (8 * (level or 0)):
            unsigned.append(path)
        elif end > here:
            problems.add(f"{path} lies beyond the tree of {size} entries")
        elif width < WIDE and end != here:
            narrower.setdefault((level, index), []).append(width)
    return Listing(narrower, unsigned)


def _place(path: str) -> tuple[int | None, int, int] | None:
    match = _TILE.fullmatch(path)
    if match is None:
        return None
    level, groups, partial = match.groups()
    index, width = int(groups.replace("x", "").replace("/", "")), int(partial or WIDE)
    if (partial and width >= WIDE) or groups_of(index) != groups:
        return None
    return (None if level == "entries" else int(level)), index, width


def groups_of(index: int) -> str:
    """A tile's index as path: groups of three digits, all but the last behind an x."""
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([f"x{part}" for part in parts[:-1]] + parts[-1:])


def path_of(level: int | None, index: int, width: int) -> str:
    """Where a tile (`level` None: a bundle of entries) is at this width."""
    whole = f"tile/{'entries' if level is None else level}/{groups_of(index)}"
    return whole if width == WIDE else f"{whole}.p/{width}"
