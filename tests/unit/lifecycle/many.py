"""Many hosts in memory: each with its own runtime, router and lease, any of which may go down or be put up anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

from bench import BROKEN, Bench, a_server, at_once
from mortal import Mortal

from vitrify.core.batch import Pace
from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import TargetUnreachable
from vitrify.core.digest import JSONObject
from vitrify.core.plan import HostProblem, ReleasePlan
from vitrify.core.report import Applied, Retired
from vitrify.lifecycle import fleet
from vitrify.lifecycle.promoting import abandon, promote
from vitrify.lifecycle.retire import retire
from vitrify.lifecycle.settings import known_secrets
from vitrify.lifecycle.world import Site
from vitrify.onhost.lease import Moment, Wish
from vitrify.resources.registry import all_kinds
from vitrify.testing.direct_session import DirectSession
from vitrify.testing.memory_leases import Fenced, MemoryLeases
from vitrify.testing.memory_router import MemoryRouter
from vitrify.testing.memory_runtime import MemoryRuntime

T = TypeVar("T")


def host(name: str) -> Host:
    return Host(name, address=name)


A, B, C = map(host, "abc")


def on(*hosts: Host, greeting: str = "one", pace: Pace | None = None) -> Server:
    """An immutable server on these hosts."""
    server = a_server(greeting)
    return replace(server, hosts=hosts, pace=pace or Pace(), rollout=replace(server.rollout, probation=1.0))


class Reached:
    """A port of a machine that may go down between any two calls."""

    def __init__(self, port: object, up: Callable[[], None]) -> None:
        self._port, self._up = port, up

    def __getattr__(self, name: str) -> object:
        found: Callable[..., object] = getattr(self._port, name)

        def call(*given: object, **named: object) -> object:
            self._up()
            return found(*given, **named)

        return call


@dataclass
class Machine:
    """One host."""

    runtime: MemoryRuntime
    router: MemoryRouter
    leases: MemoryLeases


@dataclass
class Many(Bench):
    """A project whose servers live on many hosts; they are there as soon as they are named."""

    down: set[str] = field(default_factory=set)
    machines: dict[str, Machine] = field(default_factory=dict)

    def on(self, name: str) -> Machine:
        """The machine of this name."""
        if name not in self.machines:
            leases = MemoryLeases("web", lambda: Moment(self.clock.now(), self.clock.monotonic(), "boot"))
            runtime = MemoryRuntime(self.clock.now, broken=(BROKEN,))
            self.machines[name] = Machine(runtime, MemoryRouter(self.clock.now), leases)
        return self.machines[name]

    # -- what a person does --------------------------------------------------------------------------------------

    def look(self, server: Server) -> tuple[tuple[ReleasePlan, ...], tuple[HostProblem, ...]]:
        planned, problems = self.tell(fleet.plan([server], self.world, parallel=5))
        return tuple(one for one in planned if isinstance(one, ReleasePlan)), problems

    def kinds(self, server: Server) -> dict[str, str]:
        """Host -> what is planned for it."""
        return {one.host: one.kind for one in self.look(server)[0]}

    def roll(self, server: Server) -> Applied:
        planned, problems = self.look(server)
        return self.tell(fleet.apply(planned, {server.name: server}, self.world, parallel=5, unseen=problems))

    def back(self, to: int) -> Applied:
        return self.tell(fleet.rollback("web", self.world, to=to, secret=known_secrets({}), parallel=5))

    def go_on(self, *, everything: bool = False) -> Applied:
        """Somebody promotes what waits."""
        return self.tell(promote("web", self.world, secret=known_secrets({}), everything=everything, parallel=5))

    def call_off(self) -> Applied:
        """Somebody aborts it."""
        return self.tell(abandon("web", self.world, secret=known_secrets({}), parallel=5))

    def take_away(self, host: str = "") -> Retired:
        return self.tell(retire("web", self.world, host=host))

    def tell(self, story: Coroutine[object, object, T]) -> T:
        """Carry out a story; whoever is killed in the middle of several hosts is killed."""
        try:
            return asyncio.run(story)
        except BaseExceptionGroup as group:
            found: BaseException = group
            while isinstance(found, BaseExceptionGroup):
                found = found.exceptions[0]
            raise found from None

    @contextmanager
    def down_at(self, point: str, *hosts: Host) -> Iterator[None]:
        """Once this point is passed these hosts do not answer, until what is done inside has ended."""
        self.happens_at[point] = lambda: self.down.update(one.name for one in hosts)
        yield
        self.down.clear()

    # -- what a test sees ----------------------------------------------------------------------------------------

    def serves(self, host: Host) -> int | None:
        """The release whose instances a request to this host's router reaches; None where it reaches nobody."""
        machine = self.on(host.name)
        backends = machine.router.leads_to("", "/")
        alive = {f"127.0.0.1:{one.port}": one for one in at_once(machine.runtime.instances({})) if not one.gone}
        found = {int(alive[address].labels["release"]) for address in (backends.addresses if backends else ()) if address in alive}
        assert len(found) <= 1
        return found.pop() if found else None

    def share(self, host: Host) -> tuple[int | None, int]:
        """The release that gets a part of the requests beside, and how large that is."""
        machine = self.on(host.name)
        found = at_once(machine.router.beside("web"))
        alive = {f"127.0.0.1:{one.port}": one for one in at_once(machine.runtime.instances({})) if not one.gone}
        releases = {int(alive[address].labels["release"]) for address in (found.backends.addresses if found else ()) if address in alive}
        return (releases.pop() if releases else None), found.percent if found else 0

    def runs(self, host: Host) -> list[int]:
        """The releases of the instances that run on a host."""
        found = at_once(self.on(host.name).runtime.instances({}))
        return sorted(int(one.labels["release"]) for one in found if not one.gone)

    def live_on(self, host: Host) -> str:
        """The id of the instance that is live on a host."""
        found = at_once(self.on(host.name).runtime.instances(self.world.labels("web", self.lives(host)[0])))
        return next(one.id for one in found if not one.gone)

    def lives(self, host: Host) -> tuple[int | None, int | None]:
        slots = self.state.slots("web", host.name)
        return slots.live, slots.previous

    def put_up_anew(self, host: Host) -> None:
        """Somebody installs this machine again: nothing of what it had is there."""
        del self.machines[host.name]

    def make_ill_on(self, host: Host, server: Server) -> None:
        self.on(host.name).runtime.ill[self.image_of(server)] = "says 500"

    def fall_ill_on(self, host: Host, release: int) -> None:
        """Every instance of this release that runs there is ill from now on."""
        runtime = self.on(host.name).runtime
        for one in at_once(runtime.instances(self.world.labels("web", release))):
            runtime.fall_ill(one.id, reason="says 500")

    def lose(self, host: Host, release: int) -> None:
        """Every instance of this release ends there, and its keeper with it."""
        runtime = self.on(host.name).runtime
        for one in at_once(runtime.instances(self.world.labels("web", release))):
            runtime.lose(one.id)

    # -- the surroundings ----------------------------------------------------------------------------------------

    def _up(self, name: str) -> None:
        if name in self.down:
            raise TargetUnreachable(f"{name} does not answer")

    @asynccontextmanager
    async def _site(self, host: Host) -> AsyncIterator[Site]:
        self._up(host.name)
        machine = self.on(host.name)
        runtime, router = (Reached(Mortal(port, self._done), lambda: self._up(host.name)) for port in (machine.runtime, machine.router))
        yield Site(
            host,
            DirectSession({"ledger.held": lambda _, __: {}}, self.clock.now, all_kinds()),
            self.images,
            cast("MemoryRuntime", runtime),
            cast("MemoryRouter", router),
            self.evidence,
        )

    @asynccontextmanager
    async def _leased(self, host: Host, server: str, wish: JSONObject) -> AsyncIterator[Site]:
        self._up(host.name)
        leases = self.on(host.name).leases
        token = leases.acquire(Wish(str(wish["by"]), str(wish["reason"]))).token
        try:
            async with self._site(host) as site:
                runtime, router = (Fenced(port, leases, token) for port in (site.runtime, site.router))
                yield replace(site, runtime=cast("MemoryRuntime", runtime), router=cast("MemoryRouter", router), token=token)
        finally:
            leases.release(token)
