"""A resource is one wish about a target; a kind knows how to look at it and how to make it true."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import (
    TYPE_CHECKING,
    AbstractSet,
    Callable,
    ClassVar,
    Dict,
    FrozenSet,
    Iterable,
    Iterator,
    Mapping,
    Optional,
    Protocol,
    Sequence,
    Tuple,
)

from vitrify.core.diagnostic import Location, VitrifyError
from vitrify.core.digest import JSON, KEYED, PLAIN, JSONObject, digest_of
from vitrify.core.schema import Schema

if TYPE_CHECKING:
    from vitrify.core.difference import Change
    from vitrify.core.system import System

Properties = Mapping[str, JSON]
"""What a resource looks like, or shall look like: property name -> JSON value. `{"type": "missing"}` is nothing there."""

MISSING: Properties = {"type": "missing"}


@dataclass(frozen=True, order=True)
class Address:
    """The name of a resource within one server, written `kind:name`, as in `file:/etc/motd`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `kind:name`; raises VitrifyError where there is no colon or a side is empty."""
        kind, colon, name = text.partition(":")
        if not (kind and colon and name):
            raise VitrifyError(f"{text!r} is not an address", hint="write kind:name, as in file:/etc/motd")
        return cls(kind, name)


class Phase(Enum):
    """When a resource can act: while an image is baked, when an instance starts, on a live host."""

    BAKE = "bake"
    BOOT = "boot"
    LIVE = "live"


class Sureness(Enum):
    """How sure a plan line is: seen, concluded from an earlier line, or a command whose effect nobody can foresee."""

    CERTAIN = "certain"
    ASSUMED = "assumed"
    OPAQUE = "opaque"


class OnLeave(Enum):
    """What becomes of a created thing whose resource left the declaration."""

    REMOVE = "remove"
    KEEP = "keep"
    PURGE = "purge"


@dataclass(frozen=True)
class Resource:
    """One wish. `fields` passed the kind's schema; contents are digests, so a resource never holds a secret."""

    address: Address
    fields: Mapping[str, JSON]
    after: Tuple[Address, ...] = ()
    absent: bool = False
    on_leave: OnLeave = OnLeave.REMOVE
    protect: bool = False
    tags: Tuple[str, ...] = ()
    secret: bool = False
    where: Optional[Location] = field(default=None, compare=False)

    @property
    def digest(self) -> str:
        """The identity of the wish; where it was written does not count."""
        return digest_of(self.to_json())

    def to_json(self) -> JSONObject:
        """The form that is sent, planned and remembered."""
        return {
            "address": str(self.address),
            "fields": dict(self.fields),
            "after": [str(address) for address in self.after],
            "absent": self.absent,
            "on_leave": self.on_leave.value,
            "protect": self.protect,
            "tags": list(self.tags),
            "secret": self.secret,
        }

    @classmethod
    def from_json(cls, data: JSONObject) -> Resource:
        """Read what `to_json` wrote; a KeyError or TypeError means that it was not written by us."""
        fields, after, tags = data["fields"], data["after"], data["tags"]
        if not isinstance(fields, dict) or not isinstance(after, list) or not isinstance(tags, list):
            raise TypeError("not a resource")
        return cls(
            address=Address.parse(str(data["address"])),
            fields=fields,
            after=tuple(Address.parse(str(name)) for name in after),
            absent=data["absent"] is True,
            on_leave=OnLeave(data["on_leave"]),
            protect=data["protect"] is True,
            tags=tuple(str(tag) for tag in tags),
            secret=data["secret"] is True,
        )

    def gone(self) -> Resource:
        """The same resource, wished absent: how a removal is written."""
        return replace(self, absent=True)


@dataclass(frozen=True)
class Observation:
    """What one resource looks like now. `body` is the old text for a diff, given only where everybody may read it."""

    address: Address
    properties: Properties
    body: Optional[str] = None

    def to_json(self) -> JSONObject:
        """The form that is sent."""
        return {"address": str(self.address), "properties": dict(self.properties), "body": self.body}

    @classmethod
    def from_json(cls, data: JSONObject) -> Observation:
        """Read what `to_json` wrote."""
        properties, body = data["properties"], data.get("body")
        if not isinstance(properties, dict):
            raise TypeError("not an observation")
        return cls(Address.parse(str(data["address"])), properties, str(body) if body is not None else None)


class Kind(ABC):
    """One type of resource. Stateless; pure but for `observe` and `enact`, which act through the `System` alone."""

    name: ClassVar[str]
    schema: ClassVar[Schema]
    phases: ClassVar[FrozenSet[Phase]]
    short: ClassVar[str] = ""
    """The field that the short form fills, as `package` in `package: curl`; empty where there is none."""
    shares: ClassVar[bool] = False
    """Whether its paths belong to others as well, as the file does that a line stands in."""
    together: ClassVar[bool] = False
    """Whether changes of this kind that follow each other are made in one act, by `enact_all`."""
    chooses: ClassVar[bool] = False
    """Whether what it installs is chosen by others (an index, a mirror): for an image that is pinned, in the lock."""

    confined: ClassVar[bool] = False
    """Whether a change writes its `affected` paths and nothing else: such changes are made one by one, but announced many at a time."""
    locks_out: ClassVar[bool] = False
    """Whether any change of this kind can cut the way by which the host is reached. `core.access` says so of paths and of services."""
    restarts: ClassVar[bool] = False
    """Whether its change ends the host's start, and with it whoever makes the change: what that began from is journaled with the intent,
    and the same change is made again once the host is up, from the same beginning."""
    live_only: ClassVar[FrozenSet[str]] = frozenset()
    """The fields that have a meaning on a live host alone: in an image they are dropped, and a plan says so."""

    @abstractmethod
    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The name in the address, from validated fields."""

    @abstractmethod
    def desired(self, resource: Resource) -> Properties:
        """The properties that were declared, and no others; `MISSING` for an absent resource."""

    @abstractmethod
    def observe(self, resource: Resource, system: System) -> Observation:
        """What is there now; changes nothing. May tell more properties than `desired`."""

    @abstractmethod
    def enact(self, change: Change, system: System) -> None:
        """Make it so: afterwards `observe` agrees with `change.after` on every property in it. Safe to repeat."""

    def observe_all(self, resources: Sequence[Resource], system: System) -> Tuple[Observation, ...]:
        """What all of these look like now, in their order. A kind that can ask once for all of them says so here."""
        return tuple(self.observe(resource, system) for resource in resources)

    def enact_all(self, changes: Sequence[Change], system: System) -> None:
        """Make all of these so: only asked of a kind whose changes go `together`; removals and other changes come apart."""
        for change in changes:
            self.enact(change, system)

    def affected(self, change: Change) -> Tuple[str, ...]:
        """Every path the change may write, outermost first: before-images of these make it undoable."""
        return ()

    def contents(self, change: Change) -> Tuple[str, ...]:
        """Digests of the contents that `enact` may ask for; they are sent ahead of a change that must not need us any more."""
        held = {value for value in change.before.values() if isinstance(value, str)}
        return tuple(text for text in _texts(change.resource.fields) if text.startswith((PLAIN, KEYED)) and text not in held)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """Every path that belongs to the resource once applied (for parity and baselines)."""
        return ()

    def undoable(self, change: Change) -> bool:
        """Whether before-images of `affected` give everything back."""
        return True

    def inverse(self, change: Change) -> Optional[Change]:
        """The change that takes this one back where before-images do not: made once those were put back. None: they do."""
        return None

    def sureness(self, change: Change) -> Sureness:
        """How sure a plan can be of this change."""
        return Sureness.CERTAIN

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """Which of the earlier changes of the plan makes this one possible, in words (`package nginx provides this unit`).

        "" where it stands on what is there. Chef's why-run calls this an assumption; a plan shows it as such.
        """
        return ""

    def listens(self, resource: Resource) -> Mapping[Address, str]:
        """The resources of whose changes this one must be told, and how: `restart` or `reload`. They come before it."""
        return {}

    def owe(self, resource: Resource, how: str, system: System) -> None:  # noqa: B027  most kinds listen to nobody
        """Note durably, before a change that it listens to, that it must be told.

        Until `enact` or `settle` has told it, `observe` differs from `desired`: what is owed survives a failed run, and is paid once.
        """

    def settle(self, resource: Resource, system: System) -> None:  # noqa: B027  most kinds have nothing to settle
        """Called after `affected` paths were put back by an undo: reload what must notice."""

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """Which of the others must come first because of what they are (a file after its folder).

        A mapping, so that a kind looks up the few it could follow: ten thousand resources are ordered in linear time.
        """
        return ()

    def leads(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """Which of the others must come after, because of what this one is (packages after the repository that offers them).

        For kinds of which a server has few: each may look at all others.
        """
        return ()

    def opposed(self, resource: Resource, others: Mapping[Address, Resource]) -> Mapping[Address, str]:
        """Which of the others cannot be as wished beside this one, and why: a declaration of both is refused."""
        return {}

    def hopeless(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """Why this change cannot be made, by what was seen and by the earlier changes of the plan: a plan with it is refused.

        "" where it may well be; what only may fail is told by `because`.
        """
        return ""

    def rest(self, content: bytes, resource: Resource) -> bytes:
        """A file that it `shares` without this resource's own part; the whole of it where a kind cannot tell its part from the rest."""
        return content

    def around(self, system: System) -> Mapping[str, str]:
        """What else an act of this kind may change, name -> value: looked at before and after one that a plan could not foresee."""
        return {}

    def besides(self, changes: Sequence[Change], before: Mapping[str, str], after: Mapping[str, str]) -> Tuple[str, ...]:
        """What of `around` changed that none of these changes told of, each in words: an apply reports it."""
        return ()

    def parts(self, resource: Resource) -> Tuple[str, ...]:
        """What it puts into a file that it shares, each by a name that tells it from all else there: so two wishes can name the same."""
        return ()

    def notices(self, resource: Resource, seen: Observation) -> Tuple[str, ...]:
        """What a reader of the plan should know of a resource even where nothing is to be done."""
        return ()

    def leftover(self, resource: Resource, previous: Resource, claimed: AbstractSet[str]) -> Properties:
        """What the version of this wish that was applied before put in place and this one wishes for no more.

        It joins `before` in the change, and is a change even where all that is wished for is there; empty for most kinds.
        Paths and `parts` that are `claimed` belong to other wishes by now: they are no leftover, and an absent resource leaves them alone.
        """
        return {}

    def because(self, change: Change) -> Tuple[str, ...]:
        """The reasons in words; by default those that `difference` found."""
        return change.because

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The text that would be in place of `seen.body`, for a diff; None where there is none or it is not for all to see."""
        return None


def _texts(value: object) -> Iterator[str]:
    """Every text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple, Mapping)):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)


class Others(Protocol):
    """Kinds that are not ours: asked only where a name is none of ours, since to find them takes time."""

    def names(self) -> Tuple[str, ...]:
        """The names of all of them."""

    def kind(self, name: str) -> Kind:
        """One of them."""


class Kinds:
    """The kinds in reach, by name. A value that is passed, never a global. One that is `loaded` by name is made when it is asked for."""

    def __init__(
        self, kinds: Iterable[Kind] = (), *, loaded: Optional[Mapping[str, Callable[[], Kind]]] = None, others: Optional[Others] = None
    ) -> None:
        self._by_name: Dict[str, Kind] = {kind.name: kind for kind in kinds}
        self._loaded = dict(loaded or {})
        self._others = others

    def beside(self, others: Others) -> Kinds:
        """The same kinds, and these others instead of those that were known before."""
        return Kinds(self._by_name.values(), loaded=self._loaded, others=others)

    def ours(self, name: str) -> bool:
        """Whether a kind comes with vitrify, and can be had without looking for it."""
        return name in self._by_name or name in self._loaded

    def __getitem__(self, name: str) -> Kind:
        if name not in self._by_name and name in self._loaded:
            self._by_name[name] = self._loaded[name]()
        if name in self._by_name:
            return self._by_name[name]
        if self._others is not None and name in self._others.names():
            return self._others.kind(name)
        hint = f"known kinds: {', '.join(self.names())}; another one has to be installed where vitrify is"
        raise VitrifyError(f"there is no kind {name!r}", hint=hint)

    def __contains__(self, name: str) -> bool:
        return self.ours(name) or (self._others is not None and name in self._others.names())

    def names(self) -> Tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted({*self._by_name, *self._loaded, *(self._others.names() if self._others else ())}))
