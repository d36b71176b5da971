"""What an audit found, by place; what findings share is said once. Digests are shortened to what can be told apart by eye."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from vitrify.cli.text import BLANK, Line, Span, Style, ago, faint, lasted, line, many, prose, size, strong, table
from vitrify.core.audit_report.report import SEVERITIES, Row, graded, row
from vitrify.core.drift import Audit, Class

if TYPE_CHECKING:
    from vitrify.cli.render import Look
    from vitrify.core.trend import Spread, Trend

_CLASSES = {
    Class.UNAUTHORISED: ("!", Style.ALARM),
    Class.AUTHORISED: ("=", Style.ADDED),
    Class.PACKAGE_MANAGER: ("*", Style.PLACE),
    Class.NOISE: (".", Style.FAINT),
}
_ORDER = tuple(_CLASSES)
_CHANGE_WIDTH = 9
_SHOWN = 10
"""So many paths to which the same happened are named; all of them with -v."""
_MARGIN = " " * (4 + _CHANGE_WIDTH)
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")


def audit_lines(audit: Audit, look: Look) -> Iterator[Line]:
    """Every finding with its class, evidence and answer; then one sentence that says how things stand."""
    places: dict[tuple[Row, ...], list[list[Row]]] = {}
    rows = sorted(map(row, audit.findings), key=lambda found: (found.server, found.where, found.path))
    for _, found in groupby(rows, key=lambda found: (found.server, found.where)):
        here = list(found)
        # Places that tell the same but for the time, as hosts of one server often do, tell it once.
        places.setdefault(tuple(replace(each, where="", written=None) for each in here), []).append(here)
    for these in places.values():
        yield from _places([here[0] for here in these], look)
        yield from _groups([_merged(twins) for twins in zip(*these, strict=True)], look)
        yield BLANK
    yield from _verdict(audit)


def _merged(twins: Sequence[Row]) -> Row:
    """One for all of them, with the span of their times."""
    times = [found.written for found in twins if found.written is not None]
    return replace(twins[0], written=min(times), latest=max(times)) if times else twins[0]


def _places(found: Sequence[Row], look: Look) -> Iterator[Line]:
    for server, these in groupby(found, key=lambda each: each.server):
        wheres = ", ".join(each.where for each in these)
        before = (strong(server), Span(" on "))
        for number, told in enumerate(prose(before, wheres, width=look.width)):
            yield told[: len(before)] + tuple(Span(span.text, Style.PLACE) for span in told[len(before) :]) if number == 0 else told


def _groups(rows: Sequence[Row], look: Look) -> Iterator[Line]:
    """What differs at one place, worst first: a heading for those that share class, evidence and answer, and these below it."""
    told = {found: _told(found, look) for found in rows}
    ranked = sorted(rows, key=lambda found: (*_rank(found), found.change, told[found], found.path))
    for (classed, severity, grounds, answer), found in groupby(ranked, key=_shared):
        symbol, style = _CLASSES[classed]
        name = f"{classed.value}, {severity}" if severity else classed.value
        text = f"{grounds}{f'; {answer}' if answer else ''}"
        yield from prose((Span(f"  {symbol} {name:16}", style), Span(" ")), text, width=look.width)
        for (change, tail), those in groupby(found, key=lambda each: (each.change, told[each])):
            yield from _same(change, list(those), tail, look)


def _same(change: str, rows: Sequence[Row], told: str, look: Look) -> Iterator[Line]:
    """Those to which the same happened: their paths, and then once how and when."""
    shown = rows if look.verbose else rows[:_SHOWN]
    for number, found in enumerate(shown):
        yield line("    ", f"{change if number == 0 else '':{_CHANGE_WIDTH}}", strong(found.path))
    if len(rows) > len(shown):
        yield line(_MARGIN, f"and {len(rows) - len(shown):,} more; -v names them")
    if told:
        yield from ((each[0], faint("".join(span.text for span in each[1:]))) for each in prose(line(_MARGIN), told, width=look.width))


def _told(found: Row, look: Look) -> str:
    details = found.details if look.verbose else tuple(_DIGEST.sub(r"\1", detail) for detail in found.details)
    return "; ".join(part for part in (", ".join(details), found.when, f"by {found.who}" if found.who else "", found.why) if part)


def _shared(found: Row) -> tuple[Class, str, str, str]:
    return found.classed, found.severity, found.grounds, found.answer


def _rank(found: Row) -> tuple[int, int, str, str]:
    return _ORDER.index(found.classed), SEVERITIES.index(graded(found)), found.grounds, found.answer


def trend_lines(trend: Trend, look: Look) -> Iterator[Line]:
    """A row for each server; nothing where nobody asked."""
    if not trend.days:
        return
    yield line(strong("The last day" if trend.days == 1 else f"The last {trend.days} days"))
    headings = ("server", "unauthorised", "a day", "lasting", "until found", "until put right")
    rows = [
        (each.server, str(each.found), f"{each.per_day:.1f}", str(each.lasting), _spread(each.detect), _spread(each.repair))
        for each in trend.servers
    ]
    yield from table(headings, rows, width=None if look.verbose else look.width)
    yield BLANK


def _spread(found: Spread | None) -> str:
    if found is None:
        return "-"
    return ago(found.middle) if found.times == 1 else f"{ago(found.middle)}, at most {ago(found.longest)}"


def _verdict(audit: Audit) -> Iterator[Line]:
    looked = ", ".join((many(audit.resources, "resource"), many(audit.entries, "path"), many(audit.instances, "instance")))
    read = f", read {size(audit.read)}," if audit.read else ""
    yield line(faint(f"Looked at {looked}{read} in {lasted(audit.seconds)}."))
    found, unauthorised = len(audit.findings), len(audit.unauthorised)
    if unauthorised:
        yield line(Span(f"{many(unauthorised, 'unauthorised difference')}.", Style.ALARM), _others(found - unauthorised))
    elif found:
        yield line(Span("No unauthorised differences.", Style.ADDED), _others(found))
    elif not (audit.resources or audit.entries or audit.instances):
        yield line(strong("Nothing to compare with."), " `vitrify apply` puts servers in place, or takes what is there under management.")
    else:
        yield line(Span("No drift.", Style.ADDED), " Everything is as declared.")


def _others(count: int) -> str:
    return f" {many(count, 'difference')} allowed." if count else ""
