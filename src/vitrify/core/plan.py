"""A plan is a document: what would change, why, how sure that is, and what it rests on. Pure; nothing here acts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change, difference
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.resource import Address, Kind, Kinds, Observation, OnLeave, Properties, Resource, Sureness
from vitrify.core.selection import Selection
from vitrify.core.strategy import Course

SCHEMA = "vitrify.dev/plan/v1"
WAITING = "waiting"
"""The kind of a plan for what waits to be promoted."""

Diff = Callable[[Resource, Observation], str]
"""Renders the unified diff of a change, or "" where it must not or cannot be shown."""


@dataclass(frozen=True)
class Owned:
    """What a host remembers of one resource: whether vitrify `created` or `adopted` it, and the values it last applied."""

    resource: Resource
    created: bool
    applied: Mapping[str, JSON]
    run: str
    seen: Properties | None = None
    """How the version that was applied looks, where another one is wished for and an observation only says whether that holds."""

    @classmethod
    def from_json(cls, data: JSONObject) -> Owned:
        """Read a host's answer."""
        resource, applied, seen = data["resource"], data["applied"], data.get("seen")
        if not isinstance(resource, dict) or not isinstance(applied, dict):
            raise TypeError("not an owned resource")
        return cls(
            Resource.from_json(resource), data["created"] is True, applied, str(data["run"]), seen if isinstance(seen, dict) else None
        )


def _kinds(digests: Mapping[str, str]) -> JSONObject:
    """In a document only where there are any: what it rests on beside what was seen."""
    return {"kinds": dict(digests)} if digests else {}


@dataclass(frozen=True)
class HostPlan:
    """Changes to one host of a mutable server, in the order in which they would be made."""

    server: str
    host: str
    changes: tuple[Change, ...]
    settled: tuple[Resource, ...]
    """Resources that already are as wished and come under management, or change their declaration, without being touched."""
    forgotten: tuple[Resource, ...]
    """Owned resources that left the declaration and stay on the host: adopted, kept or protected ones."""
    expect: str
    """Digest of the observations that this plan rests on."""
    run: str = ""
    """The unfinished run that an apply would continue."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """Kinds that are not ours -> the digest of their source."""
    notices: tuple[str, ...] = ()
    held: str = field(default="", compare=False)
    """Who is changing the host at this moment, in words: no part of what an apply would do."""
    witnessed: int = field(default=0, compare=False)
    """Entries of the ledger that the host saw."""

    @property
    def empty(self) -> bool:
        """Whether an apply would change nothing on the host."""
        return not self.changes and not self.run

    @property
    def bookkeeping(self) -> bool:
        """Whether an apply would change what the host remembers."""
        return bool(self.settled or self.forgotten or self.run)

    def to_json(self) -> JSONObject:
        """The document."""
        return {
            "lifecycle": "mutable",
            "server": self.server,
            "host": self.host,
            "changes": [change.to_json() for change in self.changes],
            "settled": [resource.to_json() for resource in self.settled],
            "forgotten": [resource.to_json() for resource in self.forgotten],
            "expect": self.expect,
            "run": self.run,
            **_kinds(self.kinds),
            "notices": list(self.notices),
        }


@dataclass(frozen=True)
class ReleasePlan:
    """What an apply would do to an immutable server on one of its hosts.

    `kind` is none, release, join (a release that other hosts have already), replace (same release, new instances), resume, or waiting
    (for somebody to promote what was begun).
    """

    server: str
    host: str
    kind: str
    release: int
    live: int | None
    because: tuple[str, ...]
    resources: tuple[tuple[str, str], ...] = ()
    """(address, create | update | remove) against the live release."""
    launch: int = 0
    replace: tuple[str, ...] = ()
    """Ids of the instances that go out of traffic."""
    declared: str = ""
    """Digest of image inputs and run settings; an apply of this plan refuses any other."""
    bytes_to_read: int = 0
    last_seconds: float | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    course: Course = field(default_factory=Course)
    contract: int = 0
    """The release whose contract is carried out first; 0 where none is due."""
    evidence: int = 0
    """The finding, by its entry in the ledger, for which those that are replaced go to quarantine; 0 where they are discarded."""

    @property
    def empty(self) -> bool:
        """Whether an apply would change nothing."""
        return self.kind in ("none", WAITING) and not (self.contract or self.launch)

    def to_json(self) -> JSONObject:
        """The document."""
        return {
            "lifecycle": "immutable",
            "server": self.server,
            "host": self.host,
            "kind": self.kind,
            "release": self.release,
            "live": self.live,
            "because": list(self.because),
            "resources": [[address, action] for address, action in self.resources],
            "launch": self.launch,
            "replace": list(self.replace),
            "declared": self.declared,
            "bytes_to_read": self.bytes_to_read,
            "last_ms": None if self.last_seconds is None else round(self.last_seconds * 1000),
            **self.course.to_json(),
            **({"contract": self.contract} if self.contract else {}),
            **_kinds(self.kinds),
            "notices": list(self.notices),
        }


@dataclass(frozen=True)
class HostProblem:
    """A host that could not do its part, or not be reached; `why` is its error in words."""

    server: str
    host: str
    why: str
    unreachable: bool = False
    busy: bool = False
    """Whether somebody else is changing it."""

    def to_json(self) -> JSONObject:
        """The form of every document."""
        return {"server": self.server, "host": self.host, "why": self.why, "unreachable": self.unreachable, "busy": self.busy}


@dataclass(frozen=True)
class Plan:
    """Everything that one `vitrify apply` would do. `declaration` is the digest of what was declared."""

    project: str
    declaration: str
    servers: tuple[HostPlan | ReleasePlan, ...]
    made_at: int = field(default=0, compare=False)
    """Seconds since the epoch."""
    selection: Selection = field(default_factory=Selection, compare=False)
    problems: tuple[HostProblem, ...] = ()
    """Hosts that could not be looked at: an apply leaves them alone."""
    approvals: tuple[str, ...] = field(default=(), compare=False)
    """Signed notes that bind its digest; who signed, and whether that counts, is judged where it is applied."""
    rest_of: str = field(default="", compare=False)
    """The digest of the saved plan whose apply was cut short, and whose rest this is."""

    @property
    def approved_as(self) -> str:
        """The digest that approvals of it bind."""
        return self.rest_of or self.digest

    @property
    def empty(self) -> bool:
        """Whether an apply would change nothing."""
        return all(server.empty for server in self.servers)

    @property
    def digest(self) -> str:
        """The plan's identity: what it would do, not when it was made."""
        return digest_of([server.to_json() for server in self.servers])

    def to_json(self) -> JSONObject:
        """The document that is shown, saved and approved."""
        return {
            "schema": SCHEMA,
            "project": self.project,
            "declaration": self.declaration,
            "digest": self.digest,
            "made_at": self.made_at,
            "selection": self.selection.to_json(),
            "servers": [server.to_json() for server in self.servers],
            "problems": [problem.to_json() for problem in self.problems],
            **({"approvals": [*self.approvals]} if self.approvals else {}),
        }


@dataclass(frozen=True)
class Counts:
    """The last line of every plan."""

    add: int = 0
    change: int = 0
    remove: int = 0
    replace: int = 0


def counts(plan: Plan) -> Counts:
    """How many resources are added, changed and removed in place, and how many instances replaced (a first release adds its own)."""
    changes = [change.action for server in plan.servers if isinstance(server, HostPlan) for change in server.changes]
    rollouts = [server for server in plan.servers if isinstance(server, ReleasePlan) and not server.empty]
    return Counts(
        add=changes.count(Action.CREATE) + sum(rollout.launch for rollout in rollouts if rollout.live is None),
        change=changes.count(Action.UPDATE) + changes.count(Action.REPLACE),
        remove=changes.count(Action.REMOVE),
        replace=sum(rollout.launch for rollout in rollouts if rollout.live is not None),
    )


@dataclass(frozen=True)
class Seen:
    """What a host answered: one observation for each wish and for each owned resource, what it owns, what is unfinished."""

    observations: Mapping[Address, Observation]
    owned: Sequence[Owned]
    unfinished: str = ""
    held: JSONObject | None = None
    """The lease by which somebody is changing the host at this moment."""
    witnessed: int = 0  # entries of the ledger that the host saw


def expectation(observations: Iterable[Observation]) -> str:
    """The digest that a plan rests on: every observed property, in order of address."""
    return digest_of({str(seen.address): dict(seen.properties) for seen in observations})


def plan_host(wishes: Sequence[Resource], seen: Seen, *, kinds: Kinds, diff: Diff) -> HostChanges:
    """Changes (wishes in order, then removals, youngest first), what comes under management as it is, and what is forgotten."""
    owned = {item.resource.address: item for item in seen.owned if item.resource.address.kind in kinds}
    strange = tuple(item.resource for item in seen.owned if item.resource.address.kind not in kinds)
    planner = _Planner(wishes, seen, kinds, diff)
    changes: list[Change] = []
    settled: list[Resource] = []
    for declared in wishes:
        before = owned.pop(declared.address, None)
        change = planner.told(declared, planner.change(declared, before))
        if change:
            planner.refuse_hopeless(change)
            changes.append(_tell_drift(planner.noted(change), before))
        elif not declared.absent and (before is None or before.resource.digest != declared.digest):
            settled.append(declared)
    for left in [item for item in reversed(owned.values()) if _to_remove(item) and not planner.taken_over(item.resource)]:
        change = planner.change(left.resource.gone(), left)
        if change:
            change = planner.noted(change)
            changes.append(replace(change, because=("left the declaration", *change.because[1:])))
            del owned[left.resource.address]
    return HostChanges(tuple(changes), tuple(settled), tuple(item.resource for item in owned.values()), strange)


def tagged(planned: HostPlan, wishes: Sequence[Resource], *, tags: Sequence[str]) -> HostPlan:
    """The part of a plan that is about resources with one of these tags. What left the declaration is never part of it."""
    picked = {wish.address for wish in wishes if set(wish.tags) & set(tags)}
    return replace(
        planned,
        changes=tuple(change for change in planned.changes if change.resource.address in picked),
        settled=tuple(resource for resource in planned.settled if resource.address in picked),
        forgotten=(),
    )


@dataclass(frozen=True)
class HostChanges:
    """What `plan_host` decided."""

    changes: tuple[Change, ...]
    settled: tuple[Resource, ...]
    forgotten: tuple[Resource, ...]
    strange: tuple[Resource, ...] = ()
    """Owned resources of kinds that nobody here knows: they stay as they are, and owned."""


class _Planner:
    """Decides about one resource at a time, with all others in view."""

    def __init__(self, wishes: Sequence[Resource], seen: Seen, kinds: Kinds, diff: Diff) -> None:
        self._seen, self._kinds, self._diff = seen, kinds, diff
        self._earlier: dict[Address, Change] = {}
        present = [(kinds[wish.address.kind], wish) for wish in wishes if not wish.absent]
        self._claimed = frozenset(name for kind, wish in present for name in _put(kind, wish))

    def change(self, wish: Resource, owned: Owned | None) -> Change | None:
        """What must be done about this wish; None where nothing must."""
        kind, seen = self._kinds[wish.address.kind], self._seen.observations[wish.address]
        leftover = kind.leftover(wish, owned.resource, self._claimed) if owned else {}
        desired = kind.desired(wish)
        change = difference(wish, desired=desired, seen=seen)
        if change is None and leftover and not wish.absent:
            change = Change(wish, Action.UPDATE, before=seen.properties, after=desired)
        if change is None:
            return None
        change = replace(change, before={**change.before, **leftover})
        because, sureness, undoable = kind.because(change), kind.sureness(change), kind.undoable(change)
        return replace(change, because=because, sureness=sureness, undoable=undoable, diff=self._diff(wish, seen))

    def told(self, wish: Resource, change: Change | None) -> Change | None:
        """The same change, and that earlier ones of this plan must be told to it: a change even where nothing else is."""
        listens = self._kinds[wish.address.kind].listens(wish)
        heard = [f"{how}: {address} changes" for address, how in listens.items() if address in self._earlier]
        if not heard or wish.absent:
            return change
        if change is None:
            kind, seen = self._kinds[wish.address.kind], self._seen.observations[wish.address].properties
            change = Change(wish, Action.UPDATE, before=seen, after=kind.desired(wish))
            change = replace(change, sureness=kind.sureness(change), undoable=kind.undoable(change))
        return replace(change, because=(*change.because, *heard))

    def noted(self, change: Change) -> Change:
        """The same change, with what it rests on of this plan; what comes later may rest on it."""
        reason = self._kinds[change.resource.address.kind].assumed(change, self._earlier)
        self._earlier[change.resource.address] = change
        if not reason or change.sureness is Sureness.OPAQUE:
            return change
        return replace(change, sureness=Sureness.ASSUMED, because=(*change.because, reason))

    def refuse_hopeless(self, change: Change) -> None:
        """Raise TargetFailed where a wish cannot be fulfilled: a plan that is sure to fail half-way is none."""
        why = self._kinds[change.resource.address.kind].hopeless(change, self._earlier)
        if why:
            at = f"{change.resource.where}: " if change.resource.where else ""
            raise TargetFailed(f"{at}{change.resource.address} cannot be as wished", why=why, hint="change the declaration, or the target")

    def taken_over(self, left: Resource) -> bool:
        """Whether everything that this resource put in place is wished for under another name by now."""
        kind = self._kinds[left.address.kind]
        put = _put(kind, left)
        return bool(put) and self._claimed.issuperset(put)


def _put(kind: Kind, resource: Resource) -> tuple[str, ...]:
    """What a resource put in place and no other may take away: its paths, or its parts of files that it shares."""
    return kind.parts(resource) if kind.shares else kind.owned_paths(resource)


def _tell_drift(change: Change, before: Owned | None) -> Change:
    """Say which differences nobody declared: the value was applied once, and is still wished, but is not there any more.

    Where an observation only says whether a wish holds, it is the wish that was applied that has to.
    """
    if before is None:
        return change
    wished, now = (change.after, change.before) if before.seen is None else (before.applied, before.seen)
    drifted = any(wished.get(name) == value != now.get(name) for name, value in before.applied.items())
    return replace(change, because=(*change.because, "changed outside vitrify")) if drifted else change


def _to_remove(owned: Owned) -> bool:
    resource = owned.resource
    return owned.created and resource.on_leave is not OnLeave.KEEP and not resource.protect and not resource.absent
