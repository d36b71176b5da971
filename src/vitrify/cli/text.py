"""Lines of styled text that are safe to show: whatever a name or a file holds, a terminal sees only what can be read."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from vitrify.core.readable import neutral


class Style(Enum):
    """What a piece of text means; the value is the colour a terminal gives it. A word or symbol always says the same."""

    PLAIN = ""
    STRONG = "1"
    FAINT = "2"
    ADDED = "32"
    CHANGED = "33"
    REMOVED = "31"
    PLACE = "36"
    ALARM = "1;31"


@dataclass(frozen=True)
class Span:
    """Some text in one style."""

    text: str
    style: Style = Style.PLAIN


Line = tuple[Span, ...]

BLANK: Line = ()

NARROWEST = 8
"""Columns that every column of a table keeps."""


def line(*parts: str | Span) -> Line:
    """One line from pieces; a bare string is plain."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def strong(text: str) -> Span:
    """Something to be read first."""
    return Span(text, Style.STRONG)


def faint(text: str) -> Span:
    """Something to be read last."""
    return Span(text, Style.FAINT)


def painted(spans: Line, *, colour: bool) -> str:
    """The characters for a terminal or a file: neutralised, then coloured where wanted."""
    if not colour:
        return "".join(neutral(span.text) for span in spans).rstrip()
    return "".join(f"\x1b[{span.style.value}m{neutral(span.text)}\x1b[0m" if span.style.value else neutral(span.text) for span in spans)


def columns(text: str) -> int:
    """How many columns the text takes once neutralised: wide East Asian characters take two, combining ones none."""
    shown = neutral(text)
    if shown.isascii():
        return len(shown)
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in shown)


def shortened(text: str, *, to: int) -> str:
    """The text in at most this many columns, cut in its middle."""
    if columns(text) <= to:
        return text
    kept = max(to - 3, 2)
    head, tail = _prefix(text, columns_wide=kept - kept // 2), _prefix(text[::-1], columns_wide=kept // 2)[::-1]
    return f"{head}...{tail}"


def begun(text: str, *, to: int) -> str:
    """The beginning of the text, in at most this many columns."""
    return text if columns(text) <= to else f"{_prefix(text, columns_wide=max(to - 3, 1))}..."


def _prefix(text: str, *, columns_wide: int) -> str:
    used = 0
    for place, char in enumerate(text):
        used += columns(char)
        if used > columns_wide:
            return text[:place]
    return text


def prose(before: Line, text: str, *, width: int | None) -> list[Line]:
    """Words behind some spans, broken between words where the screen ends and set in as far as they began."""
    margin = sum(columns(span.text) for span in before)
    rows = [""]
    for word in text.split(" "):
        if rows[-1] and width and margin + columns(rows[-1]) + 1 + columns(word) > width:
            rows.append(word)
        else:
            rows[-1] = f"{rows[-1]} {word}" if rows[-1] else word
    return [line(*(before if number == 0 else (" " * margin,)), row) for number, row in enumerate(rows)]


def table(headings: Sequence[str], rows: Sequence[Sequence[str | Span]], *, width: int | None = None) -> list[Line]:
    """Aligned columns under faint headings. Where they are wider than `width`, the widest cells are shortened in their middle."""
    cells = [[Span(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = [max(columns(heading), *(columns(row[at].text) for row in cells)) for at, heading in enumerate(headings)] if cells else []
    excess = sum(widths) + 2 * (len(widths) - 1) - width if width and widths else 0
    for _ in range(excess):
        widest = max(widths)
        if widest > NARROWEST:
            widths[widths.index(widest)] = widest - 1
    return [_row([faint(heading) for heading in headings], widths), *(_row(row, widths) for row in cells)] if cells else []


def _row(cells: Sequence[Span], widths: Sequence[int]) -> Line:
    spans: list[Span] = []
    for cell, wide in zip(cells, widths, strict=True):
        text = shortened(cell.text, to=wide)
        spans += [Span(text, cell.style), Span(" " * (wide - columns(text) + 2))]
    return tuple(spans[:-1])


def moment(seconds: float) -> str:
    """A time (seconds since the epoch) to the second, the same everywhere: `2026-11-25 18:15:09Z`."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))
