"""What an audit found, by place; what findings share is said once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vitrify.cli.render_report import problem_lines
from vitrify.cli.text import BLANK, Line, Span, Style, ago, faint, lasted, line, many, prose, size, strong, table
from vitrify.core.audit_report.grouped import Group, Place, Same, places
from vitrify.core.audit_report.report import row
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
_CHANGE_WIDTH = 9
_SHOWN = 10
"""So many paths to which the same happened are named; all of them with -v."""
_MARGIN = " " * (4 + _CHANGE_WIDTH)


def audit_lines(audit: Audit, look: Look) -> Iterator[Line]:
    """Every finding with its class, evidence and answer; then one sentence that says how things stand."""
    for place in places([row(finding) for finding in audit.findings], whole_digests=bool(look.verbose)):
        yield from _place(place, look)
        for group in place.groups:
            yield from _group(group, look)
        yield BLANK
    yield from problem_lines(audit.problems)
    yield from _verdict(audit)


def _place(place: Place, look: Look) -> Iterator[Line]:
    told = prose((strong(place.server), Span(" on ")), ", ".join(place.wheres), width=look.width)
    yield from ((*before, Span(wheres.text, Style.PLACE)) for *before, wheres in told)


def _group(group: Group, look: Look) -> Iterator[Line]:
    symbol, style = _CLASSES[group.classed]
    text = "; ".join(part for part in (group.grounds, group.answer) if part)
    yield from prose((Span(f"  {symbol} {group.name:16}", style), Span(" ")), text, width=look.width)
    for same in group.same:
        yield from _same(same, look)


def _same(same: Same, look: Look) -> Iterator[Line]:
    shown = same.paths if look.verbose else same.paths[:_SHOWN]
    for number, path in enumerate(shown):
        yield line("    ", f"{same.change if number == 0 else '':{_CHANGE_WIDTH}}", strong(path))
    if len(same.paths) > len(shown):
        yield line(_MARGIN, f"and {len(same.paths) - len(shown):,} more; -v names them")
    if same.told:
        yield from ((*before, faint(told.text)) for *before, told in prose(line(_MARGIN), same.told, width=look.width))


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
