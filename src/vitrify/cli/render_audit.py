"""What an audit found, by place; what findings share is said once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from vitrify.cli.render_report import problem_lines
from vitrify.cli.text import BLANK, Line, Span, Style, faint, line, prose, strong, table
from vitrify.core.amounts import ago, lasted, many, size
from vitrify.core.audit_report.grouped import Group, Place, Same, places
from vitrify.core.audit_report.report import row
from vitrify.core.drift import UNKNOWN, Accepted, Actor, Audit, Class, Finding, Known
from vitrify.core.readable import neutral, shortened

if TYPE_CHECKING:
    from vitrify.cli.render import Look
    from vitrify.core.digest import JSON
    from vitrify.core.trend import Spread, Trend
    from vitrify.core.watched import Seen

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


def audit_lines(audit: Audit, look: Look, *, noise: bool = False) -> Iterator[Line]:
    """Every finding with its class, evidence and answer; then one sentence that says how things stand."""
    shown = [finding for finding in audit.findings if noise or finding.classed is not Class.NOISE]
    for place in places([row(finding) for finding in shown], whole_digests=bool(look.verbose)):
        yield from _place(place, look)
        for group in place.groups:
            yield from _group(group, look)
        yield BLANK
    for finding in shown if look.verbose else ():
        yield from _evidence(finding)
    yield from problem_lines(audit.problems)
    for rule in audit.lapsed:
        yield line(f"A rule of `ignore` is over since {rule.until}, and covers nothing any more: {rule.path} ({rule.reason}).")
    for folder in audit.unrecorded:
        yield line(
            f"Nothing to compare {folder} with yet: `vitrify audit accept {folder} --reason TEXT` records it; "
            "so does the next apply that changes something."
        )
    yield from _verdict(audit, noise=noise)


def _place(place: Place, look: Look) -> Iterator[Line]:
    told = prose((strong(place.server), Span(" on ")), ", ".join(place.wheres), width=look.width)
    yield from ((*before, Span(wheres.text, Style.PLACE)) for *before, wheres in told)


def _group(group: Group, look: Look) -> Iterator[Line]:
    symbol, style = _CLASSES[group.classed]
    text = "; ".join(part for part in (group.grounds, group.answer) if part)
    yield from prose((Span(f"  {symbol} {group.name:16}", style), Span(" ")), text, width=look.width)
    for same in group.same:
        yield from _same(same, look)


def watch_lines(seen: Seen, look: Look) -> Iterator[Line]:
    """One finding of a watch, with where it is, who did it, and whether that was before anybody watched."""
    for place in places([row(seen.finding)], whole_digests=bool(look.verbose)):
        yield from _place(place, look)
        for group in place.groups:
            yield from _group(group, look)
    if seen.finding.actor:
        yield line(_MARGIN, "by ", strong(_actor(seen.finding.actor)))
    if seen.before:
        yield line(_MARGIN, faint("before this watch began"))


def _actor(who: Actor) -> str:
    return neutral(f"{who}: {who.command}")


def _same(same: Same, look: Look) -> Iterator[Line]:
    shown = same.paths if look.verbose else same.paths[:_SHOWN]
    for number, path in enumerate(shown):
        yield line("    ", f"{same.change if number == 0 else '':{_CHANGE_WIDTH}}", strong(path))
    if len(same.paths) > len(shown):
        yield line(_MARGIN, f"and {len(same.paths) - len(shown):,} more; -v names them")
    if same.told:
        yield from ((*before, faint(told.text)) for *before, told in prose(line(_MARGIN), same.told, width=look.width))


def _evidence(finding: Finding) -> Iterator[Line]:
    """What is known of one finding beside what it shares with others."""
    yield line(strong(neutral(finding.path)), " on ", Span(finding.where, Style.PLACE))
    yield line("    ", faint(f"who: {neutral(finding.who) or UNKNOWN}"))
    yield from (line("    ", neutral(path)) for path in finding.paths)
    yield from (line("    ", neutral(each)) for each in finding.diff.splitlines())
    yield BLANK


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


def _verdict(audit: Audit, *, noise: bool) -> Iterator[Line]:
    looked = ", ".join((many(audit.resources, "resource"), many(audit.entries, "path"), many(audit.instances, "instance")))
    read = f", read {size(audit.read)}," if audit.read else ""
    yield line(faint(f"Looked at {looked}{read} in {lasted(audit.seconds)}."))
    hidden = sum(finding.classed is Class.NOISE for finding in audit.findings)
    found, unauthorised = len(audit.findings) - hidden, len(audit.unauthorised)
    if unauthorised:
        yield line(Span(f"{many(unauthorised, 'unauthorised difference')}.", Style.ALARM), _others(found - unauthorised))
    elif found:
        yield line(Span("No unauthorised differences.", Style.ADDED), _others(found))
    elif not (audit.resources or audit.entries or audit.instances):
        yield line(strong("Nothing to compare with."), " `vitrify apply` puts servers in place, or takes what is there under management.")
    else:
        yield line(Span("No drift.", Style.ADDED), " Everything is as declared.")
    if hidden and not noise:
        yield line(faint(f"{many(hidden, 'difference')} by declared noise; --noise shows them."))


def _others(count: int) -> str:
    return f" {many(count, 'difference')} allowed." if count else ""


def accepted_lines(found: Sequence[Accepted]) -> Iterator[Line]:
    """What is compared with from now on."""
    for one in found:
        told = (many(len(one.paths), "path"), *((f"recorded {', '.join(one.recorded)}",) if one.recorded else ()))
        yield line("Accepted on ", Span(one.host, Style.PLACE), f" for {one.server}: {', '.join(told)}; ledger entry {one.entry}.")


def known_lines(found: Sequence[Known], look: Look) -> Iterator[Line]:
    """What is known of a path, host by host."""
    for index, one in enumerate(found):
        if index:
            yield BLANK
        yield line(strong(one.path), " on ", Span(one.host, Style.PLACE), f" for {one.server}")
        yield line("  ", one.verdict)
        yield from (line(f"  {name:10}", text) for name, text in _told(one) if text)
        yield from (line(f"  {'entry':10}", f"{number}  {at[:19].replace('T', ' ')}Z  {says}") for number, at, says in one.entries)
        if look.verbose and one.finding and one.finding.diff:
            yield from (line("  ", each) for each in one.finding.diff.splitlines())


def _told(one: Known) -> Iterator[tuple[str, str]]:
    yield "baseline", _print(one.before) or ("nothing was there" if one.folder else "none")
    yield "now", _print(one.now) or "nothing is there"
    yield "folder", one.folder
    yield "package", one.package
    yield "resource", ", ".join(one.resources)
    for rule in one.rules:
        until = f", until {rule.until}" if rule.until else ""
        yield "noise", f"{rule.path} ({rule.extent.value}{until}): {rule.reason}{', comes along for Debian' if rule.shipped else ''}"
    if one.finding and one.finding.about:
        yield "severity", f"{one.finding.severity.value}: {one.finding.about}"
    if one.finding:
        yield "when", row(one.finding).when
        yield "who", one.finding.who or UNKNOWN


def _print(entry: Mapping[str, JSON] | None) -> str:
    if entry is None:
        return ""
    shown = {name: value for name, value in entry.items() if name not in ("type", "mtime_ns", "nlink", "xattrs")}
    told = (" ".join((name, shortened(str(value)))) for name, value in shown.items())
    return ", ".join((str(entry.get("type", "")), *told))
