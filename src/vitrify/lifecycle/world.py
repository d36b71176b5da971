"""Everything that a story needs from outside, in one value that is passed on: nothing here is ambient."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Protocol

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Emit, Event, Stage
from vitrify.core.resource import Kinds
from vitrify.core.step import Reached
from vitrify.core.stranger import Stranger
from vitrify.ledger.entry import Entry
from vitrify.lifecycle.pins import Pins
from vitrify.lifecycle.storage import NoStorage, Storage
from vitrify.lifecycle.turns import Turns
from vitrify.ports import Builder, Clock, Evidence, Router, Runtime, Session, StateStore


class Ledger(Protocol):
    """What the stories ask of the log; `vitrify.ledger.log.Log` is it."""

    @property
    def size(self) -> int:
        """How many entries there are."""

    def append(self, kind: str, body: JSONObject) -> Entry:
        """Add an entry; it is durable and signed for once this returns."""

    def entries(self, start: int = 0) -> Iterable[Entry]:
        """The entries from `start` on, in order."""


@dataclass(frozen=True)
class Site:
    """A place where instances run, reached over one session."""

    host: Host
    session: Session
    builder: Builder
    runtime: Runtime
    router: Router
    evidence: Evidence
    home: str = ""
    """The folder there that holds them, and the leases of their servers."""
    token: int = 0
    """The lease that every call presents; 0 where the site is only looked at."""


@dataclass(frozen=True)
class Desk:
    """Where hooks of this machine run: the project's folder, and the variables that they inherit."""

    folder: str = "/"
    environ: Mapping[str, str] = field(default_factory=dict)


class Mirror(Protocol):
    """The ledger as hosts witness it; `vitrify.ledger.mirror.Mirror` is it."""

    def judged(self, seen: JSON, host: str) -> int:
        """How many entries of this ledger a host saw; `Busy` where it saw more than is here, or another one."""

    def news(self, host: str, *, since: int) -> JSONObject:
        """The argument that brings a host what it did not see; empty where nothing is new."""


class Tenure(Protocol):
    """One holder of a host's lease over several calls; `vitrify.lifecycle.tenure.Kept` is it."""

    def wish(self) -> JSONObject:
        """What a change that asks for a lease adds to that."""

    def presented(self) -> JSONObject:
        """The argument of a call that acts by the lease; empty where there is none."""

    async def enter(self) -> None:
        """Have the lease now; `Busy` where somebody else has it."""

    def acting(self) -> AbstractContextManager[None]:
        """While the host acts by it."""

    async def heard(self, answer: JSONObject, session: Session) -> None:
        """What a change that asked for it answered."""


class EachItsOwn:
    """For changes of which each takes a lease of its own, for no longer than it lasts."""

    def wish(self) -> JSONObject:
        """Nothing more."""
        return {}

    def presented(self) -> JSONObject:
        """There is none."""
        return {}

    async def enter(self) -> None:
        """It is taken by the change itself."""

    def acting(self) -> AbstractContextManager[None]:
        """Whatever lasts as long as a change."""
        return nullcontext()

    async def heard(self, answer: JSONObject, session: Session) -> None:
        """It is over."""


class NoMirror:
    """For a world in which hosts hear nothing of the ledger."""

    def judged(self, seen: JSON, host: str) -> int:
        """Nothing was seen."""
        return 0

    def news(self, host: str, *, since: int) -> JSONObject:
        """Nothing is told."""
        return {}


def nobody_brings(host: Host) -> AbstractAsyncContextManager[Session]:
    """For a world in which every host has its Python."""
    raise TargetFailed(f"nothing could be installed on {host.name}")


def no_strangers(_names: Iterable[str]) -> tuple[Stranger, ...]:
    """For a world in which all kinds are ours."""
    return ()


@dataclass(frozen=True)
class World:
    """The project's surroundings."""

    project_id: str
    author: str
    ledger: Ledger
    state: StateStore
    clock: Clock
    kinds: Kinds
    emit: Emit
    reached: Reached
    key: str
    """The digest key, in hex: sent to targets, so that secrets are compared without being known."""
    bubblewrap: Callable[[], str]
    """Finds the path of the bubblewrap program, or "" where there is none: looking costs a start of it, and few targets need it."""
    identify: Callable[[], str]
    """A new name for a run or an operation: unique, sortable by time."""
    session: Callable[[Host], AbstractAsyncContextManager[Session]]
    session_anew: Callable[[Host], AbstractAsyncContextManager[Session]]
    """A session over a connection of its own: whoever gets one is not shut out."""
    site: Callable[[Host], AbstractAsyncContextManager[Site]]
    leased: Callable[[Host, str, JSONObject], AbstractAsyncContextManager[Site]]
    """The site while a lease of this server is held, which is asked for with this wish; `Busy` where somebody else has it."""
    pins: Pins
    """What mutable references stand for."""
    opening: Callable[[], Storage] = NoStorage
    """Opens the place where images are kept: most commands need none."""
    strangers: Callable[[Iterable[str]], tuple[Stranger, ...]] = no_strangers
    """Of these kinds, those that are not ours, with the source that goes along."""
    bringing: Callable[[Host], AbstractAsyncContextManager[Session]] = nobody_brings
    """A session with a host that gets a Python first, from its own package manager, over the same connection."""
    mirror: Mirror = field(default_factory=NoMirror)
    """What hosts keep of the ledger."""
    process: JSONObject = field(default_factory=dict)
    """This process, for whoever finds a lease of ours: once it is gone, its leases are over."""
    lease_seconds: float = 60.0
    """How long a lease holds that is not renewed."""
    tenure: Tenure = field(default_factory=EachItsOwn)
    """Who changes the host at hand, where that is one over several calls."""
    wait: float = 0.0
    """Seconds to wait for somebody else who is changing the same server."""
    keep_runs: int = 20
    """So many runs of each server stay undoable on a host."""
    dead_man: float = 120.0
    """Seconds in which a change that could shut us out must be confirmed, or the host takes it back; 0: it does not."""
    desk: Desk = field(default_factory=Desk)
    turns: Turns = field(default_factory=Turns)

    plan: str = ""
    """The digest of the plan that is being carried out, for the ledger; "" where none is."""
    answers: tuple[int, ...] = ()
    """The findings, by their entries in the ledger, that are being answered; none where somebody asked for what is done."""

    @property
    def answering(self) -> JSONObject:
        """What an intent says of them."""
        return {"answers": [*self.answers]} if self.answers else {}

    @property
    def storage(self) -> Storage:
        """Where images are kept, and who needs which."""
        return self.opening()

    def labels(self, server: str, release: int | None = None) -> dict[str, str]:
        """What marks the instances of a server of this project, or of one of its releases."""
        found = {"project": self.project_id, "server": server}
        return found if release is None else {**found, "release": str(release)}

    def naming(self, server: Server, host: str) -> World:
        """The same world, whose events say which host they are about, where the server has several."""
        return self if len(server.hosts) == 1 else self.named(server.name, host)

    def named(self, server: str, host: str) -> World:
        """The same world, whose events say which host they are about."""

        def emit(event: Event) -> None:
            self.emit(replace(event, data={**event.data, "server": server, "host": host}))

        return replace(self, emit=emit)

    @contextmanager
    def working_on(self, host: str, detail: str) -> Iterator[None]:
        """Tell that work on a host begins, and how it ended."""
        self.say("host", host, detail, stage=Stage.STARTED)
        try:
            yield
        except BaseException:
            self.say("host", host, stage=Stage.FAILED)
            raise
        self.say("host", host, stage=Stage.DONE)

    def say(self, what: str, subject: str, detail: str = "", *, stage: Stage = Stage.NOTICE) -> None:
        """Tell that something happened."""
        self.emit(Event(what, stage, subject, detail))
