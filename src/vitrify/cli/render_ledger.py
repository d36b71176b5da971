"""Ledger entries as a person reads them: one row each that fits the screen, what matters first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from vitrify.cli.render_report import short
from vitrify.cli.text import Line, Span, Style, begun, columns, faint, line, strong, table
from vitrify.core.amounts import lasted, many

if TYPE_CHECKING:
    from vitrify.cli.render import Look
    from vitrify.core.ledger_report import KeyView, Shown
    from vitrify.core.report import EntryView

_LEAST = 12
"""Columns that what an entry says gets, however narrow the screen."""
_SPOKEN = frozenset(
    {"operation", "finding", "server", "host", "where", "release", "live", "previous", "path", "change", "results", "ms", "empty"}
)
"""What is told in words, ahead of the rest, or links entries together and is told by -v alone."""


def entry_lines(entries: Sequence[EntryView], look: Look, *, none: str = "The ledger is empty.") -> Iterator[Line]:
    """One row for each entry, oldest first; -v shows all that an entry holds."""
    if not entries:
        yield line(none)
        return
    authors = {entry.author for entry in entries}
    one = len(authors) == 1 and len(entries) > 1 and not look.verbose
    headings = ("entry", "at", *(() if one else ("author",)), "kind")
    rows = [_row(entry, author=not one) for entry in entries]
    width = None if look.verbose else look.width
    left = max(width - sum(_widest(heading, at, rows) + 2 for at, heading in enumerate(headings)), _LEAST) if width else None
    told = [_whole(entry) if look.verbose else _told(entry.body, room=left) for entry in entries]
    yield from table((*headings, "body"), [(*row, text) for row, text in zip(rows, told, strict=True)], width=width)
    if one:
        yield line(faint(f"all by {entries[0].author}; -v shows whole entries"))


def _row(entry: EntryView, *, author: bool) -> tuple[str | Span, ...]:
    at = f"{entry.at[:19].replace('T', ' ')}Z"
    return (str(entry.sequence), at, *((entry.author,) if author else ()), strong(entry.kind))


def _widest(heading: str, at: int, rows: Sequence[tuple[str | Span, ...]]) -> int:
    return max(columns(heading), *(columns(cell.text if isinstance(cell, Span) else cell) for cell in (row[at] for row in rows)))


def _whole(entry: EntryView) -> str:
    whole = {**entry.body, **({"actor": entry.actor} if entry.actor else {})}
    return json.dumps(whole, sort_keys=True, default=str)


def _told(body: Mapping[str, object], *, room: int | None) -> str:
    """What, where and how many in words, then by its name every other single value for which there is room, digests last."""
    text = ", ".join(_spoken(body))
    if room and columns(text) > room:
        return begun(text, to=room)
    rest = {name: value for name, value in sorted(body.items()) if name not in _SPOKEN and _single(value)}
    for _, named in sorted((_is_digest(value), f"{name}={_value(value)}") for name, value in rest.items()):
        longer = f"{text} {named}".strip()
        if room is None or columns(longer) <= room:
            text = longer
    return text


def _single(value: object) -> bool:
    return value not in (None, "") and not isinstance(value, (dict, list, tuple))


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("sha256:", "hmac-sha256:"))


def _spoken(body: Mapping[str, object]) -> Iterator[str]:
    if body.get("path"):
        yield f"{body['path']} {body.get('change', '')}".strip()
    place = " on ".join(str(body[name]) for name in ("server", "host", "where") if body.get(name))
    if place:
        yield place
    if body.get("release") is not None:
        before = body.get("live") or body.get("previous")
        yield f"release {body['release']}" + (f" in place of {before}" if before else "")
    results = body.get("results")
    if isinstance(results, (list, tuple)):
        yield many(len(results), "change")
    if isinstance(milliseconds := body.get("ms"), (int, float)):
        yield lasted(milliseconds / 1000)
    if "empty" in body:
        yield "nothing to do" if body["empty"] else "changes"


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return short(text) if _is_digest(text) else text


def shown_lines(shown: Shown) -> Iterator[Line]:
    """What a receipt or a host shows about the ledger."""
    for name, value in shown.details.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield line(faint(f"{name.replace('_', ' '):<12} "), text or "nobody")
    if shown.problems:
        yield from (line(Span("x broken  ", Style.ALARM), problem) for problem in shown.problems)
    else:
        yield line(Span("ok ", Style.ADDED), f"What {shown.subject} shows is in the ledger that was signed.")


def key_lines(keys: Sequence[KeyView], look: Look) -> Iterator[Line]:
    """One row for each key: whose, what it still counts for, and since when not."""
    rows = [(_state(one), strong(short_key(one.key)), "yes" if one.ours else "", _counts(one)) for one in keys]
    yield from table(("state", "key", "ours", "counts"), rows, width=None if look.verbose else look.width)


def short_key(key: str) -> str:
    """A key by its name and id."""
    return "+".join(key.split("+", 2)[:2])


def _state(one: KeyView) -> Span:
    good = one.state in ("author", "witness")
    return Span(one.state, Style.ADDED) if good else Span(one.state, Style.ALARM if one.state == "revoked" else Style.CHANGED)


def _counts(one: KeyView) -> str:
    if one.state == "witness":
        return f"cosigns, at {one.url}"
    if one.size is not None:
        elsewhere = "nowhere else" if one.state == "revoked" else "under images as well"
        return f"in the first {one.size} entries, {elsewhere}"
    return f"until {one.until}" if one.until else "for all that is new"
