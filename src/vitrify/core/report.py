"""What the stories tell when they end: values that `cli/render.py` shows as tables or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from vitrify.core.diagnostic import Location
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.plan import HostProblem
from vitrify.core.rollout_report import RolloutStatus


@dataclass(frozen=True)
class Which:
    """What to undo: the last run that was not undone yet, the run named, or (`back`) every run down to that one, it included."""

    run: str = ""
    back: bool = False


LAST = Which()


@dataclass(frozen=True)
class Outcome:
    """How one change ended: done, failed or skipped (because an earlier one failed)."""

    address: str
    outcome: str
    error: str = ""
    besides: tuple[str, ...] = ()
    """What came with it that the plan could not foresee, in words."""


@dataclass(frozen=True)
class LeaseView:
    """The last lease of a server on a host; `token` is 0 where nobody ever had one. Times in seconds since the epoch, by the host."""

    server: str
    host: str
    standing: bool = False
    """Whether it keeps everybody else out now."""
    token: int = 0
    by: str = ""
    reason: str = ""
    operation: str = ""
    process: int | None = None
    since: float = 0.0
    until: float = 0.0
    released: str = ""
    """How it ended, where somebody ended it."""
    problem: str = ""
    """Why the host cannot tell."""


@dataclass(frozen=True)
class Converged:
    """The end of an apply (or an undo) on one host of a mutable server."""

    server: str
    host: str
    run: str
    outcomes: tuple[Outcome, ...]
    not_undone: tuple[str, ...] = ()
    """Addresses whose changes cannot be undone."""
    stays: tuple[str, ...] = ()
    """What an undo left in folders that its run had made, and those with it: paths that no before-image tells of."""
    seconds: float = 0.0
    health: str = ""
    """Why the batch that it was part of is not healthy; empty where it is, or nobody asked."""
    undone: bool = False
    """Whether it was taken back, because of that."""

    def followed(self, more: Converged) -> Converged:
        """Both, one after the other, under the name of the second."""
        return replace(
            more,
            outcomes=(*self.outcomes, *more.outcomes),
            not_undone=(*self.not_undone, *more.not_undone),
            stays=(*self.stays, *more.stays),
            seconds=self.seconds + more.seconds,
        )

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """What failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.outcome == "failed")


@dataclass(frozen=True)
class Released:
    """The end of a rollout or rollback of an immutable server on one of its hosts. Times in seconds."""

    server: str
    kind: str
    """release, join, replace, rollback or none."""
    release: int
    previous: int | None
    image: str
    instances: tuple[str, ...]
    url: str = ""
    warm: bool = False
    """Whether a rollback found its instances still running."""
    switch_seconds: float = 0.0
    """From the durable intent to the switch."""
    answer_seconds: float | None = None
    """From the durable intent to the first answer of the release switched to, through the router."""
    seconds: float = 0.0
    host: str = ""
    waits: str = ""
    """What it waits for, in words, where it is not live yet; `previous` is then what is live."""
    preview: str = ""
    """Where it can be looked at meanwhile."""


@dataclass(frozen=True)
class Applied:
    """The end of one `vitrify apply`."""

    hosts: tuple[Converged, ...] = ()
    releases: tuple[Released, ...] = ()
    problems: tuple[HostProblem, ...] = ()
    """Hosts that could not be reached, or refused."""
    held: tuple[tuple[str, str], ...] = ()
    """Server and host of what was left alone, because something before it failed."""
    stopped: bool = False
    """Whether it ended before all was tried, or what ended it was the last to be tried."""

    @property
    def failed(self) -> bool:
        """Whether anything is not as it was meant to be."""
        return bool(self.problems or self.held) or any(host.failed or host.undone for host in self.hosts)

    def joined(self, more: Applied) -> Applied:
        """Both, one after the other."""
        return Applied(
            hosts=(*self.hosts, *more.hosts),
            releases=(*self.releases, *more.releases),
            problems=(*self.problems, *more.problems),
            held=(*self.held, *more.held),
            stopped=self.stopped or more.stopped,
        )


@dataclass(frozen=True)
class InstanceStatus:
    """One instance as `status` and `releases` show it."""

    id: str
    release: int
    slot: str
    """live, previous, next or empty."""
    state: str
    """As its keeper calls it; `crashing` where that starts it again and again."""
    address: str
    age_seconds: float
    restarts: int
    health: str
    """ok, or the reason why not; empty where not asked."""
    entered: str = ""
    """By whom and why somebody entered it; it is replaced by the next apply."""


@dataclass(frozen=True)
class PlaceStatus:
    """How an immutable server stands on one of its hosts."""

    host: str
    live: int | None = None
    previous: int | None = None
    url: str = ""
    instances: tuple[InstanceStatus, ...] = ()
    unfinished: str = ""
    declared: bool = True
    """Whether the server is still declared there."""
    problem: str = ""
    """Why it cannot tell, where it cannot: all else is then what is remembered of it."""
    unreachable: bool = False
    """Whether that is because it could not be reached."""
    rollout: RolloutStatus | None = None
    paused: bool = False
    preview: str = ""


@dataclass(frozen=True)
class Retired:
    """The end of a retirement."""

    instances: int
    problems: tuple[HostProblem, ...] = ()


@dataclass(frozen=True)
class ServerStatus:
    """One server as `status` shows it."""

    name: str
    lifecycle: str
    hosts: tuple[str, ...]
    owned: int = 0
    last_run: str = ""
    last_by: str = ""
    last_at: float | None = None
    unfinished: str = ""
    live: int | None = None
    previous: int | None = None
    url: str = ""
    instances: tuple[InstanceStatus, ...] = ()
    problem: str = ""
    rollout: RolloutStatus | None = None
    """What is under way, where anything is."""
    paused: bool = False
    """Whether requests are held."""
    preview: str = ""
    """Where what is next can be looked at, or what is live while there is nothing next."""
    problems: tuple[HostProblem, ...] = ()
    """Its hosts that could not tell, each with the reason."""
    places: tuple[PlaceStatus, ...] = ()
    """Where its instances are, each host for itself; `live` is then the newest release that is live on any of them."""


@dataclass(frozen=True)
class ReleaseStatus:
    """One row of `releases`."""

    server: str
    number: int
    state: str
    slot: str
    image: str
    created_at: float
    running: int
    """Instances that run, on all hosts together."""
    live_on: tuple[str, ...] = ()
    """The hosts on which it is live."""
    notes: tuple[str, ...] = ()
    """What became of its migration: expanded, contracting, contracted, skipped."""
    tier: str = ""
    """How far away it is for a rollback: warm, stopped, image or collected; empty for the live one."""


@dataclass(frozen=True)
class Behind:
    """A package of which a newer version is offered."""

    name: str
    installed: str
    candidate: str
    origins: tuple[str, ...]
    """The repositories that offer it, as the package manager names them: label, version, suite."""
    security: bool
    """Whether one of them is for security, as its distribution labels it."""
    held: bool
    published_at: float | None
    """When the index that offers it was published: the patch is at least that old."""


@dataclass(frozen=True)
class Outdated:
    """How far one host of a mutable server is behind; of an immutable server, how old its image is."""

    server: str
    host: str
    lifecycle: str
    manager: str = ""
    packages: tuple[Behind, ...] = ()
    lists_at: float | None = None
    """When the host's lists were last renewed."""
    patched_at: float | None = None
    """When a package was last installed or changed there."""
    made_at: float | None = None
    """When the live image was made."""
    problem: str = ""

    def only_security(self) -> Outdated:
        """The same, without packages that are not for security."""
        return replace(self, packages=tuple(package for package in self.packages if package.security))


@dataclass(frozen=True)
class Bootstrapped:
    """Whether one host can be reached by the payload: `state` is ready, bare, installed, failed or unreachable."""

    server: str
    host: str
    state: str
    python: str = ""
    """The version that answered."""
    command: str = ""
    """What brings one, or brought it."""
    problem: str = ""


@dataclass(frozen=True)
class Check:
    """One line of `doctor`: `state` is ok, missing or note."""

    name: str
    state: str
    found: str
    hint: str = ""


@dataclass(frozen=True)
class EntryView:
    """One ledger entry as `ledger show` lists it."""

    sequence: int
    at: str
    author: str
    kind: str
    body: Mapping[str, object]
    actor: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Verified:
    """What `ledger verify` established."""

    origin: str
    size: int
    root: str
    signed_by: tuple[str, ...]
    problems: tuple[str, ...] = ()
    details: JSONObject = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """One value, who says so, and where that stands; a value of the command line stands nowhere."""

    by: str
    value: JSON
    where: Location | None

    def to_json(self) -> JSONObject:
        """The form of a document."""
        at = self.where
        place: JSON = {"file": at.file, "line": at.line, "column": at.column} if at else None
        return {"by": self.by, "value": self.value, "where": place}


@dataclass(frozen=True)
class Explained:
    """A variable on one host of one server. The last one that said something holds; each before it was overridden."""

    server: str
    host: str
    said: tuple[Said, ...]

    def to_json(self) -> JSONObject:
        """The form of a document, the value that holds first."""
        holds, *overrode = [one.to_json() for one in reversed(self.said)]
        return {"server": self.server, "host": self.host, **holds, "overrode": [*overrode]}


@dataclass(frozen=True)
class ImportedGroup:
    """A group of an inventory: the groups in it, and its hosts with their own variables."""

    name: str
    inner: tuple[str, ...]
    hosts: tuple[tuple[str, Mapping[str, JSON]], ...]
    variables: Mapping[str, JSON]


@dataclass(frozen=True)
class Imported:
    """What an inventory of another tool says, as groups of a declaration, and remarks on what has no place there."""

    variables: Mapping[str, JSON]
    groups: tuple[ImportedGroup, ...]
    remarks: tuple[str, ...]
    text: str = ""
    """The YAML of it."""

    def to_json(self) -> JSONObject:
        """The form of a document."""
        groups: JSONObject = {group.name: {"hosts": _hosts_of(group), "vars": {**group.variables}} for group in self.groups}
        return {"vars": {**self.variables}, "groups": groups, "remarks": [*self.remarks]}


def _hosts_of(group: ImportedGroup) -> list[JSON]:
    hosts: list[JSON] = [{"at": at, "vars": {**variables}} for at, variables in group.hosts]
    return [*group.inner, *hosts]
