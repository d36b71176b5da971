"""What every form of a report is made from: an audit, when and of which project it is, and its findings ready to be shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from vitrify.core.digest import JSON, JSONObject
from vitrify.core.drift import Audit, Class, Finding
from vitrify.core.readable import neutral
from vitrify.core.trend import Trend

_SAME = ("server", "where", "path", "change")
_NOT_KNOWN = "not known"
"""How a finding begins to say that nobody saw who it was."""
_STAMPED = 60
"""Seconds by which the kernel's time may be later than a file's own without being told: whoever unpacks sets the one, nobody the other."""
ANSWERS: Mapping[str, str] = {
    "re-converge": "`vitrify apply` puts it back",
    "replace": "`vitrify apply` replaces the instance",
    "join": "`vitrify apply` brings it to what the other hosts have",
    "retire": "`vitrify apply` leaves it alone: `vitrify retire SERVER --host HOST` takes it away",
    "report": "`vitrify apply` leaves it alone: remove it, or declare it",
    "accept": "if it is right: `vitrify audit accept package:NAME --reason TEXT`",
}


@dataclass(frozen=True)
class Row:
    """One finding in words that are safe to show. What a finding does not tell is ""."""

    server: str
    where: str
    path: str
    change: str
    details: tuple[str, ...]
    classed: Class
    evidence: str
    answer: str
    """In words: what `apply` would do about it."""
    entry: int | None
    written: int | None
    """Seconds since the epoch, by the target's clock."""
    owner: str
    severity: str
    why: str
    """Why it is of this class, and why it is that severe."""
    who: str
    raw: JSONObject = field(compare=False, repr=False)
    """The finding as its document has it: a path in it may hold anything that a path can."""
    latest: int | None = None
    """Where several places tell the same: the latest time that a file of theirs carries."""

    @property
    def allowed(self) -> bool:
        """Whether somebody, or something, had leave for it."""
        return self.classed is not Class.UNAUTHORISED

    @property
    def title(self) -> str:
        """One line: what happened to what."""
        return f"{self.path} {self.change}"

    @property
    def place(self) -> str:
        """Of which server, and where."""
        return f"{self.server} on {self.where}"

    @property
    def when(self) -> str:
        """The newest time that the file itself carries, the kernel's where that is another, and who owns it now, in words."""
        at = f"written {spoken_time(self.written)}" if self.written is not None else ""
        at += f" to {spoken_time(self.latest)}" if self.latest not in (None, self.written) else ""
        changed, since = self.raw.get("changed_at"), _text(self.raw, "since")
        late = isinstance(changed, int) and self.written is not None and changed > self.written + _STAMPED
        at += f", changed {spoken_time(float(str(changed)))} by the kernel's own time" if late else ""
        at += f", after {since}" if since else ""
        owner = f"uid {self.owner}" if self.owner.isdecimal() else self.owner
        return ", ".join(part for part in (at, f"now owned by {owner}" if owner else "") if part)

    @property
    def grounds(self) -> str:
        """What it rests on, in words."""
        return f"found by {self.evidence}" + (f", ledger entry {self.entry}" if self.entry is not None else "")

    @property
    def told(self) -> tuple[str, ...]:
        """Everything but the title: a line for each thing there is to say."""
        who = f"by {self.who}" if self.who else ""
        return tuple(part for part in (*self.details, self.when, who, self.why, self.grounds, self.answer) if part)

    @property
    def fingerprint(self) -> str:
        """64 hex digits, the same at each look for as long as the same thing at the same place differs in the same way."""
        return hashlib.sha256(json.dumps([str(self.raw[name]) for name in _SAME]).encode()).hexdigest()


@dataclass(frozen=True)
class Report:
    """An audit and its occasion. `at` is seconds since the epoch by our clock."""

    audit: Audit
    project: str
    version: str
    at: float
    trend: Trend

    @property
    def rows(self) -> tuple[Row, ...]:
        """The findings: what nobody allowed first, then by place and path."""
        return tuple(sorted(map(row, self.audit.findings), key=_rank))

    @property
    def unseen(self) -> tuple[str, ...]:
        """What could not be looked at, and why: of these places a report says nothing, and must not seem to."""
        return tuple(neutral(f"{each.server} on {each.host}: {each.why}") for each in self.audit.problems)

    @property
    def looked(self) -> str:
        """How much was looked at, in words."""
        audit = self.audit
        return f"{audit.resources} resources, {audit.entries} paths, {audit.instances} instances"

    @property
    def time(self) -> str:
        """When, as RFC 3339 has it."""
        return datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def to_json(self) -> JSONObject:
        """The document of the audit, with its trend where the ledger was asked for one."""
        trend: JSONObject = {"trend": self.trend.to_json()} if self.trend.days else {}
        return {**self.audit.to_json(), **trend}


def row(finding: Finding) -> Row:
    """A finding ready to be shown. It is read by its document: whatever that may tell besides is taken where it is there."""
    raw = finding.to_json()
    known_who = not _text(raw, "who").startswith(_NOT_KNOWN)
    return Row(
        server=_text(raw, "server"),
        where=_text(raw, "where"),
        path=_text(raw, "path"),
        change=_text(raw, "change"),
        details=tuple(neutral(detail) for detail in finding.details),
        classed=finding.classed,
        evidence=_text(raw, "evidence"),
        answer=ANSWERS.get(finding.answer, neutral(finding.answer)),
        entry=finding.entry,
        written=finding.modified_at,
        owner=_text(raw, "owner"),
        severity=_text(raw, "severity"),
        why="; ".join(part for part in (_text(raw, "why"), _text(raw, "about")) if part),
        who=_text(raw, "who") if known_who else "",
        raw=raw,
    )


def _text(raw: JSONObject, name: str) -> str:
    value: JSON = raw.get(name)
    return neutral(value) if isinstance(value, str) else ""


SEVERITIES = ("critical", "high", "medium", "low")


def graded(found: Row) -> str:
    """How severe it is; what nobody allowed and nobody graded is high."""
    return found.severity if found.severity in SEVERITIES else "low" if found.allowed else "high"


def _rank(found: Row) -> tuple[bool, int, str, str, str]:
    return found.allowed, SEVERITIES.index(graded(found)), found.server, found.where, found.path


def spoken_time(seconds: float) -> str:
    """A time for a person. Some file systems carry times that no calendar knows; those are told as a number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s after 1970"
