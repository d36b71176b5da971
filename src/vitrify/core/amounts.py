"""Amounts in words for a person: ages, times that something took, bytes, counts. Pure, and never sent to a target."""

from __future__ import annotations


def ago(seconds: float) -> str:
    """An age for a person: one number, one unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def lasted(seconds: float) -> str:
    """A measured time, with as many digits as matter."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else ago(seconds)


def size(count: int) -> str:
    """A number of bytes, in binary units."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def many(count: int, noun: str) -> str:
    """A count and its noun: `1 host`, `2 hosts`, `3 entries`, `4 days`, `5 matches`."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y") and not noun.endswith(("ay", "ey", "oy", "uy")):
        return f"{count:,} {noun[:-1]}ies"
    return f"{count:,} {noun}{'es' if noun.endswith(('s', 'x', 'ch', 'sh')) else 's'}"
