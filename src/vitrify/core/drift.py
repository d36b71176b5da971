"""Reality against what was declared and what was authorised: findings, each with its class and its evidence. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from vitrify.core.digest import JSONObject
from vitrify.core.noise import Noise
from vitrify.core.plan import HostProblem
from vitrify.core.severity import Severity

SCHEMA = "vitrify.dev/audit/v1"
BASELINE = "baseline"
"""The evidence of a finding about what a host keeps to compare with, not about what is compared."""

REREAD = 2.0
"""So many percent of the folders are read although nothing in them seems to have moved, others at each audit."""


UNKNOWN = "not known, because no watch was on"
"""Who did it, where nobody saw."""
_SAME = ("server", "where", "path", "change", "details", "class", "evidence", "entry", "modified_at", "owner", "answer")


class Class(Enum):
    """Whether a difference was allowed, and by whom."""

    AUTHORISED = "authorised"
    PACKAGE_MANAGER = "package manager"
    NOISE = "declared noise"
    UNAUTHORISED = "unauthorised"


@dataclass(frozen=True)
class Actor:
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
    inside: str | None = None
    """Of a finding in an instance: the instance where it was written through its own root, `host` where from outside of it."""

    def __str__(self) -> str:
        """In words, without the command line."""
        login = f", logged in as uid {self.login}" if self.login is not None and self.login != self.uid else ""
        inside = "" if self.inside is None else ", on the host" if self.inside == "host" else f", inside of {self.inside}"
        return f"{self.exe} (process {self.pid}, uid {self.uid}{login}{inside})"

    def to_json(self) -> JSONObject:
        """The form of `-o json`."""
        known: JSONObject = {} if self.inside is None else {"inside": self.inside}
        told: JSONObject = {"pid": self.pid, "exe": self.exe, "command": self.command, "uid": self.uid, "login": self.login, "at": self.at}
        return {**told, **known}


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
    severity: Severity = Severity.MEDIUM
    why: str = ""
    """Why it is of this class, in words: which package and how that is known, which rule of noise and its reason."""
    about: str = ""
    """Why it is that severe."""
    paths: tuple[str, ...] = ()
    """Of a package: the paths that it explains."""
    diff: str = field(default="", compare=False)
    """Unified, where both texts are for everybody to read and the old one is known."""
    changed_at: int | None = field(default=None, compare=False)
    """Seconds since the epoch by the target's clock: when its kernel last changed the entry, which no program can set."""
    since: str = field(default="", compare=False)
    """When somebody last looked and found nothing wrong here; "" where the ledger knows of no such look."""
    who: str = field(default="", compare=False)
    """Who did it, as a watch saw it; "" where none was on."""
    actor: Actor | None = None
    """The same in parts."""

    @property
    def identity(self) -> JSONObject:
        """What stays the same from look to look: by it a finding is told once."""
        found = self.to_json()
        return {name: found[name] for name in _SAME}

    def to_json(self) -> JSONObject:
        """The form of `-o json`, and but for the command of `actor` of the ledger."""
        known: JSONObject = {} if self.actor is None else {"actor": self.actor.to_json()}
        return {
            **({"diff": self.diff} if self.diff else {}),
            "severity": self.severity.value,
            "why": self.why,
            "about": self.about,
            "paths": list(self.paths),
            "changed_at": self.changed_at,
            "since": self.since or None,
            "who": self.who or UNKNOWN,
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
    lapsed: tuple[Noise, ...] = ()
    """Rules of noise whose last day is over: they cover nothing any more."""
    unrecorded: tuple[str, ...] = ()
    """Folders that are to be audited and have no baseline yet: nothing is known of what differs there."""

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
            "lapsed": [rule.to_json() for rule in self.lapsed],
            "unrecorded": list(self.unrecorded),
            "unauthorised": len(self.unauthorised),
            "resources": self.resources,
            "entries": self.entries,
            "instances": self.instances,
            "read": self.read,
            "ms": round(self.seconds * 1000),
            "problems": [problem.to_json() for problem in self.problems],
        }


@dataclass(frozen=True)
class Accepted:
    """What is compared with from now on, on one host, and the entry of the ledger that says so."""

    server: str
    host: str
    paths: tuple[str, ...]
    recorded: tuple[str, ...]
    """Folders that had no baseline before."""
    reason: str
    entry: int

    def to_json(self) -> JSONObject:
        """The form of `-o json`."""
        return {
            "server": self.server,
            "host": self.host,
            "paths": list(self.paths),
            "recorded": list(self.recorded),
            "reason": self.reason,
            "entry": self.entry,
        }


@dataclass(frozen=True)
class Known:
    """All that is known of a path on one host."""

    server: str
    host: str
    path: str
    verdict: str
    """In a sentence: why it is a finding, or is none."""
    before: JSONObject | None
    """Its fingerprint in the baseline; None where nothing was there, or where there is no baseline."""
    now: JSONObject | None
    folder: str
    """The folder with a baseline that it lies in; "" where it lies in none."""
    package: str
    """Which package has it, with its version and what that says of the path; "" where none has."""
    resources: tuple[str, ...]
    """Addresses of the declaration that are about it."""
    entries: tuple[tuple[int, str, str], ...]
    """Entries of the ledger that are about it, oldest first: number, time, and what each says."""
    rules: tuple[Noise, ...]
    """Rules of noise about it, in the order in which they are asked."""
    finding: Finding | None
    changed_at: int | None = None

    def to_json(self) -> JSONObject:
        """The form of `-o json`."""
        return {
            "server": self.server,
            "host": self.host,
            "path": self.path,
            "verdict": self.verdict,
            "before": self.before,
            "now": self.now,
            "folder": self.folder,
            "package": self.package,
            "resources": list(self.resources),
            "entries": [{"entry": number, "at": at, "says": says} for number, at, says in self.entries],
            "rules": [rule.to_json() for rule in self.rules],
            "finding": self.finding.to_json() if self.finding else None,
            "changed_at": self.changed_at,
        }
