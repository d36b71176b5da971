"""What an audit found, grouped by server; nothing is shortened, because a finding is evidence."""

from __future__ import annotations

import time
from collections.abc import Iterator

from vitrify.cli.text import BLANK, Line, Span, Style, faint, lasted, line, many, strong
from vitrify.core.drift import Audit, Class, Finding

_CLASSES = {
    Class.UNAUTHORISED: ("!", Style.ALARM),
    Class.AUTHORISED: ("=", Style.ADDED),
    Class.PACKAGE_MANAGER: ("*", Style.PLACE),
    Class.NOISE: (".", Style.FAINT),
}
_MARGIN = " " * 20


def audit_lines(audit: Audit) -> Iterator[Line]:
    """Every finding with its class, evidence and answer; then one sentence that says how things stand."""
    servers = sorted({finding.server for finding in audit.findings})
    for server in servers:
        yield line(strong(server))
        for finding in (each for each in audit.findings if each.server == server):
            yield from _finding(finding)
        yield BLANK
    yield from _verdict(audit)


def _finding(finding: Finding) -> Iterator[Line]:
    symbol, style = _CLASSES[finding.classed]
    yield line(Span(f"  {symbol} {finding.classed.value:16}", style), strong(finding.path), f"  {finding.change}")
    yield from (line(_MARGIN, detail) for detail in finding.details)
    yield line(_MARGIN, faint("where    "), Span(finding.where, Style.PLACE))
    when = _when(finding)
    if when:
        yield line(_MARGIN, faint("when     "), when)
    yield line(_MARGIN, faint("evidence "), finding.evidence, f", ledger entry {finding.entry}" if finding.entry is not None else "")
    if finding.answer:
        yield line(_MARGIN, faint("answer   "), finding.answer)


def _when(finding: Finding) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(finding.modified_at)) if finding.modified_at is not None else ""
    return ", ".join(part for part in (at, f"file now owned by {finding.owner}" if finding.owner else "") if part)


def _verdict(audit: Audit) -> Iterator[Line]:
    looked = ", ".join((many(audit.resources, "resource"), many(audit.entries, "path"), many(audit.instances, "instance")))
    yield line(faint(f"Looked at {looked} in {lasted(audit.seconds)}."))
    found, unauthorised = len(audit.findings), len(audit.unauthorised)
    if unauthorised:
        yield line(Span(f"{many(unauthorised, 'unauthorised difference')}.", Style.ALARM), _others(found - unauthorised))
    elif found:
        yield line(Span("No unauthorised differences.", Style.ADDED), _others(found))
    else:
        yield line(Span("No drift.", Style.ADDED), " Everything is as declared.")


def _others(count: int) -> str:
    return f" {many(count, 'difference')} allowed." if count else ""
