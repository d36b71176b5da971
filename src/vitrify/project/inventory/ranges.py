"""Spells out the ranges in names of hosts: `web[01:03]`, `db-[a:c]`, `n[0:8:4]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from vitrify.core.diagnostic import VitrifyError

MOST = 10_000
"""Hosts that one pattern may stand for."""

_RANGE = re.compile(r"\[([0-9]+|[A-Za-z]):([0-9]+|[A-Za-z])(?::([0-9]+))?\]")


def spelt_out(pattern: str) -> list[str]:
    """Every name that a pattern stands for; a VitrifyError where a range in it makes no sense."""
    parts: list[list[str]] = []
    end, count = 0, 1
    for match in _RANGE.finditer(pattern):
        steps = list(_steps(match))
        count *= len(steps)
        parts += [[pattern[end : match.start()]], steps]
        end = match.end()
    rest = pattern[end:]
    if "[" in rest or "]" in rest:
        raise VitrifyError(f"{pattern!r} holds a range that cannot be read")
    if count > MOST:
        raise VitrifyError(f"{pattern!r} stands for more than {MOST} hosts")
    return ["".join(chosen) for chosen in product(*parts, [rest])]


def _steps(match: re.Match[str]) -> Iterator[str]:
    first, last, step = match[1], match[2], int(match[3] or 1)
    numbers = first.isdecimal() and last.isdecimal()
    if step < 1 or first.isdecimal() != last.isdecimal() or (numbers and len(first) > len(last)):
        raise VitrifyError(f"{match[0]!r} is not a range")
    low, high = (int(first), int(last)) if numbers else (ord(first), ord(last))
    if low > high or high - low > MOST * step:
        raise VitrifyError(f"{match[0]!r} is not a range")
    for number in range(low, high + 1, step):
        yield f"{number:0{len(first)}d}" if numbers else chr(number)
