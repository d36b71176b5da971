"""What an audit found, grouped by where. Digests are shortened to what can be told apart by eye; -v and JSON give all of them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vitrify.cli.render_report import problem_lines
from vitrify.cli.text import BLANK, Line, Span, Style, faint, lasted, line, many, size, strong
from vitrify.core.drift import Audit, Class, Finding, Who

if TYPE_CHECKING:
    from vitrify.cli.render import Look
    from vitrify.core.watched import Seen

_CLASSES = {
    Class.UNAUTHORISED: ("!", Style.ALARM),
    Class.AUTHORISED: ("=", Style.ADDED),
    Class.PACKAGE_MANAGER: ("*", Style.PLACE),
    Class.NOISE: (".", Style.FAINT),
}
_MARGIN = " " * 6
_ANSWERS = {
    "re-converge": "`vitrify apply` puts it back",
    "replace": "`vitrify apply` replaces the instance",
    "join": "`vitrify apply` brings it to what the other hosts have",
    "retire": "`vitrify apply` leaves it alone: `vitrify retire SERVER --host HOST` takes it away",
    "report": "`vitrify apply` leaves it alone: remove it, or declare it",
}
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")


def audit_lines(audit: Audit, look: Look) -> Iterator[Line]:
    """Every finding with its class, evidence and answer; then one sentence that says how things stand."""
    for server, where in sorted({(finding.server, finding.where) for finding in audit.findings}):
        yield line(strong(server), " on ", Span(where, Style.PLACE))
        for finding in (each for each in audit.findings if (each.server, each.where) == (server, where)):
            yield from _finding(finding, look)
        yield BLANK
    yield from problem_lines(audit.problems)
    yield from _verdict(audit)


def watch_lines(seen: Seen, look: Look) -> Iterator[Line]:
    """One finding of a watch, with where it is, and since when nobody knows."""
    finding = seen.finding
    yield line(strong(finding.server), " on ", Span(finding.where, Style.PLACE), faint("  before this watch began") if seen.before else "")
    yield from _finding(finding, look)


def _finding(finding: Finding, look: Look) -> Iterator[Line]:
    symbol, style = _CLASSES[finding.classed]
    yield line(Span(f"  {symbol} {finding.classed.value:16}", style), strong(finding.path), f"  {finding.change}")
    details = finding.details if look.verbose else tuple(_DIGEST.sub(r"\1", detail) for detail in finding.details)
    yield from (line(_MARGIN, detail) for detail in details)
    evidence = f"found by {finding.evidence}" + (f", ledger entry {finding.entry}" if finding.entry is not None else "")
    yield line(_MARGIN, faint("; ".join(part for part in (_when(finding), evidence) if part)))
    if finding.who:
        yield line(_MARGIN, "by ", strong(_who(finding.who)))
    if finding.answer:
        yield line(_MARGIN, _ANSWERS.get(finding.answer, finding.answer))


def _who(who: Who) -> str:
    login = f", logged in as uid {who.login}" if who.login is not None and who.login != who.uid else ""
    return f"{who.exe} (process {who.pid}, uid {who.uid}{login}): {who.command}"


def _when(finding: Finding) -> str:
    at = time.strftime("written %Y-%m-%d %H:%M:%SZ", time.gmtime(finding.modified_at)) if finding.modified_at is not None else ""
    owner = f"uid {finding.owner}" if finding.owner.isdecimal() else finding.owner
    return ", ".join(part for part in (at, f"now owned by {owner}" if owner else "") if part)


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
