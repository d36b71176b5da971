"""Everything that a story needs from outside, in one value that is passed on: nothing here is ambient."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from vitrify.core.declaration import Host, Server
from vitrify.core.digest import JSONObject
from vitrify.core.event import Emit, Event, Stage
from vitrify.core.resource import Kinds
from vitrify.core.step import Reached
from vitrify.core.stranger import Stranger
from vitrify.ledger.entry import Entry
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

    session: Session
    builder: Builder
    runtime: Runtime
    router: Router
    evidence: Evidence


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
    claim: Callable[[str], AbstractContextManager[None]]
    """The exclusive right to change one server, given back even by a process that is killed; `Busy` where it is taken."""
    session: Callable[[Host], AbstractAsyncContextManager[Session]]
    session_anew: Callable[[Host], AbstractAsyncContextManager[Session]]
    """A session over a connection of its own: whoever gets one is not shut out."""
    site: Callable[[Host], AbstractAsyncContextManager[Site]]
    strangers: Callable[[Iterable[str]], tuple[Stranger, ...]] = no_strangers
    """Of these kinds, those that are not ours, with the source that goes along."""
    keep_runs: int = 20
    """So many runs of each server stay undoable on a host."""
    dead_man: float = 120.0
    """Seconds in which a change that could shut us out must be confirmed, or the host takes it back; 0: it does not."""

    def labels(self, server: str, release: int | None = None) -> dict[str, str]:
        """What marks the instances of a server of this project, or of one of its releases."""
        found = {"project": self.project_id, "server": server}
        return found if release is None else {**found, "release": str(release)}

    def naming(self, server: Server, host: str) -> World:
        """The same world, whose events say which host they are about, where the server has several."""
        if len(server.hosts) == 1:
            return self

        def emit(event: Event) -> None:
            self.emit(replace(event, data={**event.data, "server": server.name, "host": host}))

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
