"""Reality against what was declared and what was authorised: findings, each with its class and its evidence. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from vitrify.core.digest import JSONObject
from vitrify.core.plan import HostProblem

SCHEMA = "vitrify.dev/audit/v1"
BASELINE = "baseline"
"""The evidence of a finding about what a host keeps to compare with, not about what is compared."""

REREAD = 2.0
"""So many percent of the folders are read although nothing in them seems to have moved, others at each audit."""


class Class(Enum):
    """Whether a difference was allowed, and by whom."""

    AUTHORISED = "authorised"
    PACKAGE_MANAGER = "package manager"
    NOISE = "declared noise"
    UNAUTHORISED = "unauthorised"


@dataclass(frozen=True)
class Who:
    """Who touched a path last before it was looked at, as the evidence of the finding tells it; what it cannot tell is None or ""."""

    pid: int | None = None
    exe: str = ""
    command: str = ""
    """The command line: for the screen and for JSON, never for the ledger, for it may hold what is secret."""
    uid: int | None = None
    login: int | None = None
    """As whom somebody logged in, whatever they became since."""
    at: float | None = None
    """Seconds since the epoch by the clock of the host."""

    def to_json(self) -> JSONObject:
        """The form of `-o json`."""
        return {"pid": self.pid, "exe": self.exe, "command": self.command, "uid": self.uid, "login": self.login, "at": self.at}


@dataclass(frozen=True)
class Finding:
    """One difference between what is and what should be."""

    server: str
    where: str
    """The host's name, or the instance's id."""
    path: str
    """A path, or the address of a resource that is not a path."""
    change: str
    """added, changed or removed."""
    details: tuple[str, ...]
    """What differs, in words: `mode 0644 -> 0666`."""
    classed: Class
    evidence: str
    """resource, sweep, overlay, ledger, or baseline; of a watch audit or inotify, where that told of the change."""
    entry: int | None = None
    """The ledger entry that authorised it."""
    modified_at: int | None = None
    """Seconds since the epoch by the target's clock: the newest time that the file itself carries."""
    owner: str = ""
    """Who owns the file now: a hint at who, not a proof."""
    answer: str = ""
    """What `apply` would do about it: re-converge, replace, join, or nothing; `retire` is for somebody to do."""

    who: Who | None = None
    """Known to a watch that stood high enough when it happened."""

    def to_json(self) -> JSONObject:
        """The form of `-o json`, and but for the command of `who` of the ledger."""
        known: JSONObject = {} if self.who is None else {"who": self.who.to_json()}
        return {
            "server": self.server,
            "where": self.where,
            "path": self.path,
            "change": self.change,
            "details": list(self.details),
            "class": self.classed.value,
            "evidence": self.evidence,
            "entry": self.entry,
            "modified_at": self.modified_at,
            "owner": self.owner,
            "answer": self.answer,
            **known,
        }


@dataclass(frozen=True)
class Audit:
    """All findings of one look, and how much was looked at."""

    findings: tuple[Finding, ...]
    resources: int
    """Resources compared."""
    entries: int
    """Files, folders and links fingerprinted."""
    instances: int
    """Instances walked."""
    seconds: float = field(default=0.0, compare=False)
    read: int = 0
    """Bytes of content that were read to be compared."""

    @property
    def rewritten(self) -> bool:
        """Whether what a host keeps to compare with is not what an apply left there."""
        return any(finding.evidence == BASELINE for finding in self.findings)

    problems: tuple[HostProblem, ...] = ()
    """Hosts that could not be looked at."""

    @property
    def unauthorised(self) -> tuple[Finding, ...]:
        """The findings that nobody allowed."""
        return tuple(finding for finding in self.findings if finding.classed is Class.UNAUTHORISED)

    def to_json(self) -> JSONObject:
        """The document of `audit -o json`."""
        return {
            "schema": SCHEMA,
            "findings": [finding.to_json() for finding in self.findings],
            "unauthorised": len(self.unauthorised),
            "resources": self.resources,
            "entries": self.entries,
            "instances": self.instances,
            "read": self.read,
            "ms": round(self.seconds * 1000),
            "problems": [problem.to_json() for problem in self.problems],
        }
