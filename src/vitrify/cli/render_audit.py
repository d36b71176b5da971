"""What an audit found, grouped by where. Digests are shortened to what can be told apart by eye; -v and JSON give all of them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from vitrify.cli.render_report import problem_lines
from vitrify.cli.text import BLANK, Line, Span, Style, faint, lasted, line, many, size, strong
from vitrify.core.drift import UNKNOWN, Accepted, Actor, Audit, Class, Finding, Known
from vitrify.core.severity import Severity

if TYPE_CHECKING:
    from vitrify.cli.render import Look
    from vitrify.core.digest import JSON
    from vitrify.core.watched import Seen

_CLASSES = {
    Class.UNAUTHORISED: ("!", Style.ALARM),
    Class.AUTHORISED: ("=", Style.ADDED),
    Class.PACKAGE_MANAGER: ("*", Style.PLACE),
    Class.NOISE: (".", Style.FAINT),
}
_MARGIN = " " * 6
_STAMPED = 60
"""Seconds by which the kernel's time may be later than a file's own without being told: whoever unpacks sets the one, nobody the other."""
_ANSWERS = {
    "re-converge": "`vitrify apply` puts it back",
    "replace": "`vitrify apply` replaces the instance",
    "join": "`vitrify apply` brings it to what the other hosts have",
    "retire": "`vitrify apply` leaves it alone: `vitrify retire SERVER --host HOST` takes it away",
    "report": "`vitrify apply` leaves it alone: remove it, or declare it",
    "accept": "if it is right: `vitrify audit accept package:NAME --reason TEXT`",
}
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")


def audit_lines(audit: Audit, look: Look, *, noise: bool = False) -> Iterator[Line]:
    """Every finding with its class, evidence and answer; then one sentence that says how things stand."""
    shown = [finding for finding in audit.findings if noise or finding.classed is not Class.NOISE]
    for server, where in sorted({(finding.server, finding.where) for finding in shown}):
        yield line(strong(server), " on ", Span(where, Style.PLACE))
        for finding in (each for each in shown if (each.server, each.where) == (server, where)):
            yield from _finding(finding, look)
        yield BLANK
    yield from problem_lines(audit.problems)
    for rule in audit.lapsed:
        yield line(f"A rule of `ignore` is over since {rule.until}, and covers nothing any more: {rule.path} ({rule.reason}).")
    for folder in audit.unrecorded:
        yield line(
            f"Nothing to compare {folder} with yet: `vitrify audit accept {folder} --reason TEXT` records it; "
            "so does the next apply that changes something."
        )
    yield from _verdict(audit, noise=noise)


def watch_lines(seen: Seen, look: Look) -> Iterator[Line]:
    """One finding of a watch, with where it is, and since when nobody knows."""
    finding = seen.finding
    yield line(strong(finding.server), " on ", Span(finding.where, Style.PLACE), faint("  before this watch began") if seen.before else "")
    yield from _finding(finding, look)


def _finding(finding: Finding, look: Look) -> Iterator[Line]:
    symbol, style = _CLASSES[finding.classed]
    yield line(Span(f"  {symbol} {finding.classed.value:16}", style), strong(finding.path), f"  {finding.change}", *_severity(finding))
    details = finding.details if look.verbose else tuple(_DIGEST.sub(r"\1", detail) for detail in finding.details)
    yield from (line(_MARGIN, detail) for detail in details)
    evidence = f"found by {finding.evidence}" + (f", ledger entry {finding.entry}" if finding.entry is not None else "")
    yield line(_MARGIN, faint("; ".join(part for part in (_when(finding), evidence) if part)))
    if finding.why:
        yield line(_MARGIN, f"{finding.classed.value}: {finding.why}")
    if finding.actor:
        yield line(_MARGIN, "by ", strong(_actor(finding.actor)))
    if look.verbose:
        yield line(_MARGIN, faint(f"who: {finding.who or UNKNOWN}"))
        yield from (line(_MARGIN, path) for path in finding.paths)
        yield from (line(_MARGIN, each) for each in finding.diff.splitlines())
    if finding.answer:
        yield line(_MARGIN, _ANSWERS.get(finding.answer, finding.answer))


def _actor(who: Actor) -> str:
    return f"{who}: {who.command}"


def _severity(finding: Finding) -> tuple[Span, ...]:
    """What is critical or high is said in the first line; -o json says it of all."""
    if finding.classed is not Class.UNAUTHORISED or finding.severity not in (Severity.CRITICAL, Severity.HIGH):
        return ()
    about = f": {finding.about}" if finding.about else ""
    return (Span(f"  {finding.severity.value}{about}", Style.ALARM),)


def _when(finding: Finding) -> str:
    at = time.strftime("written %Y-%m-%d %H:%M:%SZ", time.gmtime(finding.modified_at)) if finding.modified_at is not None else ""
    owner = f"uid {finding.owner}" if finding.owner.isdecimal() else finding.owner
    late = finding.changed_at is not None and finding.modified_at is not None and finding.changed_at > finding.modified_at + _STAMPED
    kernel = time.strftime("changed %Y-%m-%d %H:%M:%SZ by the kernel's own time", time.gmtime(finding.changed_at)) if late else ""
    since = f"after {finding.since}" if finding.since else ""
    return ", ".join(part for part in (at, kernel, since, f"now owned by {owner}" if owner else "") if part)


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
        yield "when", _when(one.finding)
        yield "who", one.finding.who or UNKNOWN


def _print(entry: Mapping[str, JSON] | None) -> str:
    if entry is None:
        return ""
    shown = {name: value for name, value in entry.items() if name not in ("type", "mtime_ns", "nlink", "xattrs")}
    told = (" ".join((name, _DIGEST.sub(r"\1", str(value)))) for name, value in shown.items())
    return ", ".join((str(entry.get("type", "")), *told))
