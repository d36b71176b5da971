"""One HTML page that stands alone: no script, nothing to be fetched, light and dark, fit to be printed and to be mailed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from vitrify.core.audit_report.alone import alone
from vitrify.core.audit_report.grouped import Group, Same, places
from vitrify.core.audit_report.report import Report, Row
from vitrify.core.drift import Class
from vitrify.core.trend import ServerTrend, Spread

_MARKS = {Class.UNAUTHORISED: "!", Class.AUTHORISED: "=", Class.PACKAGE_MANAGER: "*", Class.NOISE: "."}


def page(report: Report) -> str:
    """The page. Findings are grouped by server, then by place; what they share is said once, and what is allowed is folded away."""
    title = f"Audit of {report.project}"
    trend = _trend(report.trend.servers, report.trend.days)
    return alone(title, report.version, (*_head(title, report), *_unseen(report), *_servers(report.rows), *trend))


def _head(title: str, report: Report) -> Iterator[str]:
    found, bad = len(report.audit.findings), len(report.audit.unauthorised)
    yield f"<h1>{escape(title)}</h1>"
    yield f'<p class="quiet">{escape(report.time)} &middot; looked at {escape(report.looked)}</p>'
    if bad:
        yield f'<p class="verdict bad">! {bad} unauthorised{f", {found - bad} allowed" if found > bad else ""}</p>'
    elif report.unseen:
        yield f'<p class="verdict">Nothing unauthorised where it was looked{f", {found} allowed" if found else ""}</p>'
    else:
        yield f'<p class="verdict good">Nothing unauthorised{f", {found} allowed" if found else ""}</p>'


def _unseen(report: Report) -> Iterator[str]:
    for each in report.unseen:
        yield f'<p class="bad">x not looked at: {escape(each)}</p>'


def _servers(rows: Sequence[Row]) -> Iterator[str]:
    for server, here in groupby(places(rows), key=lambda place: place.server):
        yield f"<section><h2>{escape(server)}</h2>"
        for place in here:
            yield f"<h3>on {escape(', '.join(place.wheres))}</h3>"
            yield from (_group(group) for group in place.groups if not group.allowed)
            yield from _folded([group for group in place.groups if group.allowed], len(place.wheres))
        yield "</section>"


def _folded(groups: Sequence[Group], wheres: int) -> Iterator[str]:
    if groups:
        yield f"<details><summary>{wheres * sum(group.count for group in groups)} allowed</summary>"
        yield from map(_group, groups)
        yield "</details>"


def _group(group: Group) -> str:
    kind = "quiet" if group.allowed else "bad"
    grounds = "; ".join(part for part in (group.grounds, group.answer) if part)
    head = f'<p class="group"><span class="{kind}">{_MARKS[group.classed]} {escape(group.name)}</span> {escape(grounds)}</p>'
    return "\n".join((head, '<table class="found"><tbody>', *map(_same, group.same), "</tbody></table>"))


def _same(same: Same) -> str:
    paths = "<br>".join(f"<code>{escape(path)}</code>" for path in same.paths)
    return f'<tr><td class="change">{escape(same.change)}</td><td>{paths}</td><td class="told">{escape(same.told)}</td></tr>'


def _heading(*names: str) -> str:
    cells = "".join(f'<th scope="col">{name}</th>' for name in names)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>"


def _trend(servers: Sequence[ServerTrend], days: int) -> Iterator[str]:
    if not servers:
        return
    yield f"<section><h2>The last {days} days</h2>"
    yield '<p class="quiet">From the ledger: what nobody allowed, how long until it was found, and until it was put right.</p>'
    yield _heading("server", "found", "lasting", "until found", "until put right", "each day")
    for server in servers:
        yield f"<tr><td>{escape(server.server)}</td><td>{server.found}</td><td>{server.lasting}</td>"
        yield f"<td>{_spread(server.detect)}</td><td>{_spread(server.repair)}</td><td>{_bars(server)}</td></tr>"
    yield "</tbody></table></section>"


def _spread(found: Spread | None) -> str:
    return f"{took(found.middle)}, at most {took(found.longest)}" if found else "&ndash;"


def took(seconds: float) -> str:
    """A time that something took, for a person: one number, one unit."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _bars(server: ServerTrend) -> str:
    """A bar for each day, with its number in words for whoever does not see it."""
    highest = max((count for _, count in server.days), default=0)
    if not highest:
        return "none"
    bars = "".join(_bar(at, day, count, round(24 * count / highest)) for at, (day, count) in enumerate(server.days) if count)
    label = f"{server.per_day:.1f} a day, at most {highest}"
    wide = 4 * len(server.days)
    ground = f'<rect class="ground" x="0" y="24" width="{wide}" height="1"/>'  # so that days without any are seen as well
    return f'<svg role="img" aria-label="{label}" width="{wide}" height="25">{ground}{bars}</svg><br>{label}'


def _bar(at: int, day: str, count: int, height: int) -> str:
    return f'<rect x="{4 * at}" y="{24 - height}" width="3" height="{height}"><title>{day}: {count}</title></rect>'
