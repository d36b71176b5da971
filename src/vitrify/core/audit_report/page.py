"""One HTML page that stands alone: no script, nothing to be fetched, light and dark, fit to be printed and to be mailed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby

from vitrify.core.audit_report.look import STYLE
from vitrify.core.audit_report.report import Report, Row
from vitrify.core.drift import Class
from vitrify.core.trend import ServerTrend, Spread

_MARKS = {Class.UNAUTHORISED: "!", Class.AUTHORISED: "=", Class.PACKAGE_MANAGER: "*", Class.NOISE: "."}
_NOTHING_FETCHED = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Whatever a hostile name might smuggle in, the browser runs none of it and asks nobody for anything."""


def page(report: Report) -> str:
    """The page. Findings are grouped by server, then by place; what is allowed is folded away."""
    title = f"Audit of {report.project}"
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING_FETCHED}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            *_head(title, report),
            *_servers(report.rows),
            *_trend(report.trend.servers, report.trend.days),
            f"<footer>vitrify {escape(report.version)}</footer>",
            "</body>",
            "</html>",
            "",
        )
    )


def _head(title: str, report: Report) -> Iterator[str]:
    found, bad = len(report.audit.findings), len(report.audit.unauthorised)
    yield f"<h1>{escape(title)}</h1>"
    yield f'<p class="quiet">{escape(report.time)} &middot; looked at {escape(report.looked)}</p>'
    if bad:
        yield f'<p class="verdict bad">! {bad} unauthorised{f", {found - bad} allowed" if found > bad else ""}</p>'
    else:
        yield f'<p class="verdict good">Nothing unauthorised{f", {found} allowed" if found else ""}</p>'


def _servers(rows: Sequence[Row]) -> Iterator[str]:
    for server, of_server in groupby(sorted(rows, key=lambda found: (found.server, found.where)), key=lambda found: found.server):
        yield f"<section><h2>{escape(server)}</h2>"
        for where, of_place in groupby(of_server, key=lambda found: found.where):
            yield f"<h3>on {escape(where)}</h3>"
            yield from _place(list(of_place))
        yield "</section>"


def _place(rows: Sequence[Row]) -> Iterator[str]:
    bad, allowed = [found for found in rows if not found.allowed], [found for found in rows if found.allowed]
    if bad:
        yield from _table(bad)
    if allowed:
        yield f"<details><summary>{len(allowed)} allowed</summary>"
        yield from _table(allowed)
        yield "</details>"


def _table(rows: Iterable[Row]) -> Iterator[str]:
    yield _heading("what", "how it differs", "when, and by whom", "what to do")
    for found in rows:
        mark = escape(" ".join(part for part in (_MARKS[found.classed], found.classed.value, found.severity) if part))
        kind = "quiet" if found.allowed else "bad"
        yield f'<tr><td><span class="{kind}">{mark}</span><br><code>{escape(found.path)}</code> {escape(found.change)}</td>'
        yield f"<td>{_broken(found.details)}</td>"
        yield f"<td>{_broken([part for part in (found.when, found.who, found.why, found.grounds) if part])}</td>"
        yield f"<td>{escape(found.answer)}</td></tr>"
    yield "</tbody></table>"


def _heading(*names: str) -> str:
    cells = "".join(f'<th scope="col">{name}</th>' for name in names)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>"


def _broken(parts: Iterable[str]) -> str:
    return "<br>".join(map(escape, parts))


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
    return f'<svg role="img" aria-label="{label}" width="{4 * len(server.days)}" height="24">{bars}</svg><br>{label}'


def _bar(at: int, day: str, count: int, height: int) -> str:
    return f'<rect x="{4 * at}" y="{24 - height}" width="3" height="{height}"><title>{day}: {count}</title></rect>'
