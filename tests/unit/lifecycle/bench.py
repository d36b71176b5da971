"""A whole project in memory: what the stories act on in these tests, and the hands that reach behind it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar, cast

import pytest
from at_once import run
from hooking import Hooking
from mortal import Mortal

from vitrify.core.declaration import Base, Content, Health, Host, Lifecycle, Rollout, Route, Router, Server
from vitrify.core.diagnostic import Location, TargetUnreachable
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.event import Event
from vitrify.core.instance import Instance, InstanceSpec
from vitrify.core.plan import ReleasePlan
from vitrify.core.report import Released
from vitrify.core.resource import Address, Resource
from vitrify.ledger.entry import Entry, timestamp
from vitrify.lifecycle import immutable
from vitrify.lifecycle.baking import wanted_of
from vitrify.lifecycle.pins import NoPins
from vitrify.lifecycle.promoting import abandon, promote
from vitrify.lifecycle.retire import retire
from vitrify.lifecycle.settings import known_secrets
from vitrify.lifecycle.world import Site, World
from vitrify.onhost.calls import MODULES, find_call
from vitrify.onhost.context import Context
from vitrify.onhost.lease import Moment, Wish
from vitrify.ports import Release, Session
from vitrify.resources.registry import all_kinds
from vitrify.testing.direct_session import DirectSession
from vitrify.testing.memory_evidence import MemoryEvidence
from vitrify.testing.memory_images import MemoryImages
from vitrify.testing.memory_leases import Fenced, MemoryLeases
from vitrify.testing.memory_router import MemoryRouter
from vitrify.testing.memory_runtime import MemoryRuntime
from vitrify.testing.memory_state import MemoryStateStore

T = TypeVar("T")

LOCAL = Host("local")
ROUTE = Route(Router("edge", "caddy", "127.0.0.1:8080"))
HEALTH = Health(http="/", passes=2, interval=0.5, grace=10.0)
ROLLOUT = Rollout(drain=30.0, probation=5.0, keep_warm=600.0, retain=5)
do = run
"""Carry out a story."""
BROKEN = "/broken"
"""A program that cannot be started."""


class Killed(BaseException):
    """Stands for the end of the process."""


def at_once(call: Coroutine[object, object, T]) -> T:
    """The answer of a port in memory, which never waits: so it can be asked in the middle of a story, too."""
    try:
        call.send(None)
    except StopIteration as ended:
        answer: T = ended.value
        return answer
    raise AssertionError("it waited")


class SteppingClock:
    """Time passes when somebody sleeps, and only then; what a test wants to happen meanwhile happens."""

    def __init__(self) -> None:
        self._now = 1_770_000_000.0
        self._set_by = 0.0
        self._due: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self._now + self._set_by

    def monotonic(self) -> float:
        return self._now

    def set_by(self, seconds: float) -> None:
        """What time synchronisation does to a clock that was wrong, or a person."""
        self._set_by += seconds

    async def sleep(self, seconds: float) -> None:
        self.let_pass(seconds)

    def let_pass(self, seconds: float) -> None:
        self._now += seconds
        due = [act for at, act in self._due if at <= self._now]
        self._due = [(at, act) for at, act in self._due if at > self._now]
        for act in due:
            act()

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self._due.append((self._now + seconds, act))


class ListLedger:
    """The log without its tree and signatures; refuses what cannot be an entry."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self._entries = now, list[Entry]()

    @property
    def size(self) -> int:
        return len(self._entries)

    def append(self, kind: str, body: JSONObject) -> Entry:
        entry = Entry(self.size, timestamp(self._now()), "ada@laptop", kind, json.loads(json.dumps(body)))
        entry.encode()
        self._entries.append(entry)
        return entry

    def entries(self, start: int = 0) -> Iterable[Entry]:
        return tuple(self._entries[start:])


def file_of(path: str, text: str) -> Resource:
    return Resource(Address("file", path), {"path": path, "content": digest_bytes(text.encode()), "mode": "0644"})


def a_server(  # noqa: PLR0913  one value for each thing that a test changes
    greeting: str = "one",
    *,
    replicas: int = 1,
    program: str = "/srv/app",
    env: Mapping[str, JSON] | None = None,
    secrets: Mapping[str, str] | None = None,
    base: Base | None = None,
    route: Route | None = ROUTE,
    health: Health | None = HEALTH,
    rollout: Rollout = ROLLOUT,
) -> Server:
    """An immutable server with a file and a process."""
    fields: dict[str, JSON] = {"name": "web", "command": [program], "workdir": "/", "port": 8000, "env": dict(env or {})}
    return Server(
        name="web",
        lifecycle=Lifecycle.IMMUTABLE,
        hosts=(LOCAL,),
        resources=(file_of("/srv/greeting", greeting), Resource(Address("process", "web"), fields)),
        where=Location("vitrify.yaml", 1, 1),
        base=base or Base("scratch"),
        replicas=replicas,
        health=health,
        route=route,
        rollout=rollout,
        secrets=secrets or {},
    )


def in_place(folder: Path, *files: tuple[str, str]) -> Server:
    """A mutable server of these files (path and text) in a folder."""
    return Server(
        name="web",
        lifecycle=Lifecycle.MUTABLE,
        hosts=(Host("machine", str(folder)),),
        resources=tuple(file_of(path, text) for path, text in files),
        where=Location("vitrify.yaml", 1, 1),
        contents={digest_bytes(text.encode()): Content(text.encode()) for _, text in files},
    )


@dataclass
class Bench(Hooking):
    """One project. The process ends, once, at the point `die_at` or behind change number `die_behind`.

    `points` are the points that were passed, `changes` what was done by ports.
    """

    clock: SteppingClock = field(default_factory=SteppingClock)
    images: MemoryImages = field(default_factory=MemoryImages)
    pins: NoPins = field(default_factory=NoPins)
    state: MemoryStateStore = field(default_factory=MemoryStateStore)
    events: list[Event] = field(default_factory=list)
    points: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    die_at: str = ""
    die_behind: int = 0
    unreachable: bool = False
    leases: dict[str, MemoryLeases] = field(default_factory=dict)
    wait: float = 0.0
    happens_at: dict[str, Callable[[], None]] = field(default_factory=dict)
    happens_behind: Callable[[], None] = field(default=lambda: None)
    """Behind each change."""
    """What happens, once, when a point is passed."""
    names: int = 0
    falls_ill_with: str = ""
    """An image whose instances pass at the gate, and never again once they have traffic."""

    def __post_init__(self) -> None:
        self.runtime = MemoryRuntime(self.clock.now, broken=(BROKEN,))
        self.router = MemoryRouter(self.clock.now)
        self.ledger = ListLedger(self.clock.now)
        self.evidence = MemoryEvidence(self.images.has)

    @property
    def world(self) -> World:
        return World(
            project_id="0123456789abcdef",
            author="ada@laptop",
            ledger=cast("ListLedger", Mortal(self.ledger, self._done)),
            state=cast("MemoryStateStore", Mortal(self.state, self._done)),
            clock=self.clock,
            kinds=all_kinds(),
            emit=self.events.append,
            reached=self._reached,
            key="00" * 32,
            bubblewrap=str,
            identify=self._identify,
            session=self._session,
            session_anew=self._session,
            site=self._site,
            pins=self.pins,
            leased=self._leased,
            wait=self.wait,
        )

    # -- what a person does --------------------------------------------------------------------------------------

    def plan(self, server: Server) -> ReleasePlan:
        return do(immutable.plan(server, server.hosts[0], self.world))

    def apply(self, server: Server, planned: ReleasePlan | None = None) -> Released:
        return do(immutable.apply(server, server.hosts[0], planned or self.plan(server), self.world))

    def rollback(self, *, to: int | None = None, secrets: Mapping[str, str] | None = None) -> Released:
        return do(immutable.rollback("web", self.world, to=to, secret=known_secrets(secrets or {})))

    def promote(self, *, everything: bool = False, secrets: Mapping[str, str] | None = None) -> Released:
        (released,) = do(promote("web", self.world, secret=known_secrets(secrets or {}), everything=everything)).releases
        return released

    def abort(self, *, secrets: Mapping[str, str] | None = None) -> None:
        do(abandon("web", self.world, secret=known_secrets(secrets or {})))

    def retire(self) -> int:
        return do(retire("web", self.world)).instances

    @contextmanager
    def killed_behind(self, number: int) -> Iterator[None]:
        """Whatever is done inside ends right behind its change of this number, counted from 1."""
        self.changes.clear()
        self.die_behind = number
        with pytest.raises(Killed):
            yield

    @contextmanager
    def killed_at(self, point: str) -> Iterator[None]:
        """Whatever is done inside ends at this point."""
        self.die_at = point
        with pytest.raises(Killed):
            yield

    # -- what a test sees ----------------------------------------------------------------------------------------

    def instances(self, *, release: int | None = None) -> tuple[Instance, ...]:
        return at_once(self.runtime.instances(self.world.labels("web", release)))

    def running(self, *, release: int | None = None) -> list[str]:
        return [instance.id for instance in self.instances(release=release) if not instance.gone]

    def states(self) -> dict[int, str]:
        return {release.number: release.state for release in reversed(self.state.releases("web"))}

    def slots(self) -> tuple[int | None, int | None]:
        found = self.state.slots("web", LOCAL.name)
        return found.live, found.previous

    def release(self, number: int) -> Release:
        found = self.state.release("web", number)
        assert found is not None
        return found

    def serving(self) -> list[str]:
        """Ids of the instances that a request could reach."""
        backends = self.router.leads_to("", "/")
        addresses = backends.addresses if backends else ()
        return [instance.id for instance in self.instances() if f"127.0.0.1:{instance.port}" in addresses and not instance.gone]

    def beside(self) -> tuple[list[str], int]:
        """Ids of the instances that get a part of the requests beside, and how large that part is."""
        found = at_once(self.router.beside("web"))
        addresses = found.backends.addresses if found else ()
        return [one.id for one in self.instances() if f"127.0.0.1:{one.port}" in addresses], found.percent if found else 0

    def phase(self) -> str:
        """What the open operation was last known to have done."""
        operation = self.state.open_operation("web", LOCAL.name)
        return operation.step if operation else ""

    def ill(self, instance: str) -> str:
        """Why it does not pass its health check; "" where it does."""
        return at_once(self.runtime.healthy(instance, HEALTH))

    def runtime_is_sound(self, instance: str) -> bool:
        return not at_once(self.runtime.altered(instance))

    def address(self, instance: str) -> str:
        return next(f"127.0.0.1:{found.port}" for found in self.instances() if found.id == instance)

    def told(self, *kinds: str) -> list[str]:
        """Kinds of the ledger's entries, in order; of these alone where some are named."""
        return [entry.kind for entry in self.ledger.entries() if not kinds or entry.kind in kinds]

    def bodies(self, kind: str) -> list[Mapping[str, JSON]]:
        return [entry.body for entry in self.ledger.entries() if entry.kind == kind]

    def start_again(self, instance: Instance) -> None:
        """Somebody starts an instance that ours knows no more."""
        at_once(self.runtime.launch(InstanceSpec(instance.id, instance.image, ("/srv/app",), instance.labels, {})))

    def image_of(self, server: Server) -> str:
        return at_once(self.images.bake(wanted_of(server, self.world).request)).digest

    def make_ill(self, server: Server, reason: str = "says 500") -> Server:
        """From now on no new instance of this server passes its health check."""
        self.runtime.ill[self.image_of(server)] = reason
        return server

    # -- the surroundings ----------------------------------------------------------------------------------------

    def _reached(self, point: str) -> None:
        self.points.append(point)
        self.happens_at.pop(point, lambda: None)()
        if point == "switch.act":
            for instance in (one for one in self.instances() if one.image == self.falls_ill_with):
                self.runtime.fall_ill(instance.id, reason="says 500")
        if point == self.die_at:
            self.die_at = ""
            raise Killed

    def _mortal(self) -> tuple[MemoryRuntime, MemoryRouter]:
        runtime, router = Mortal(self.runtime, self._done), Mortal(self.router, self._done)
        return cast("MemoryRuntime", runtime), cast("MemoryRouter", router)

    def _done(self, change: str) -> None:
        self.changes.append(change)
        self.happens_behind()
        if len(self.changes) == self.die_behind:
            self.die_behind = 0
            raise Killed

    def _identify(self) -> str:
        self.names += 1
        return f"20260202-{self.names:08d}"

    @asynccontextmanager
    async def _session(self, host: Host) -> AsyncIterator[Session]:
        if self.unreachable:
            raise TargetUnreachable(f"{host.name} does not answer")
        calls = {name: call for names in MODULES.values() for name in names if (call := find_call(name))} | {"hook.run": self.hook}
        yield DirectSession(calls, self.clock.now, all_kinds(), self._reached)

    @asynccontextmanager
    async def _site(self, host: Host) -> AsyncIterator[Site]:
        if self.unreachable:
            raise TargetUnreachable(f"{host.name} does not answer")
        yield Site(host, DirectSession({}, self.clock.now, all_kinds()), self.images, *self._mortal(), self.evidence)

    def lease(self, server: str = "web") -> MemoryLeases:
        """The lease of a server, as its host keeps it."""
        return self.leases.setdefault(server, MemoryLeases(server, lambda: Moment(self.clock.now(), self.clock.monotonic(), "boot")))

    def give_back(self, token: int) -> None:
        """Whoever has the lease of `web` by this token gives it back."""
        self.lease().release(token)

    @asynccontextmanager
    async def _leased(self, host: Host, server: str, wish: JSONObject) -> AsyncIterator[Site]:
        leases = self.lease(server)
        token = leases.acquire(Wish(str(wish["by"]), str(wish["reason"]))).token
        try:
            async with self._site(host) as site:
                runtime, router = (Fenced(port, leases, token) for port in (site.runtime, site.router))
                yield replace(site, runtime=cast("MemoryRuntime", runtime), router=cast("MemoryRouter", router), token=token)
        finally:
            leases.release(token)

    def context(self) -> Context:
        """What a call on a host is given."""
        return Context(emit=self.events.append, blob=lambda _: b"", reached=self._reached, kinds=all_kinds(), clock=self.clock.now)


def with_rollout(server: Server, **changed: float) -> Server:
    return replace(server, rollout=replace(server.rollout, **changed))  # type: ignore[arg-type]
