"""A `Router` in memory, for the stories' tests: says where a request would go, and counts what a test has under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vitrify.core.declaration import Health, Route
from vitrify.core.diagnostic import Denied, TargetFailed
from vitrify.core.digest import JSONObject
from vitrify.core.shares import is_share, shared
from vitrify.core.timing import within
from vitrify.ports import Backends, Beside, Measured


@dataclass(frozen=True)
class Traffic:
    """Where the requests of a server go."""

    to: Backends
    beside: Beside | None = None

    @property
    def slots(self) -> tuple[str, ...]:
        """The address of each of the twenty slots."""
        if self.beside is None:
            return shared(self.to.addresses)
        return shared(self.to.addresses, self.beside.backends.addresses, self.beside.percent)


_FINE = 200


class MemoryRouter:
    """A router that moves no traffic.

    `switches` lists every switch that moved traffic, oldest first, and `shares` what went beside with each, in per cent; `pauses` lists
    the servers whose requests were held; `ensured` counts what changed a configuration; `answered` lists the paths that were waited for.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._routes: dict[str, Route] = {}
        self._traffic: dict[str, Traffic] = {}
        self._holds: dict[str, float] = {}
        self._busy: dict[str, int] = {}
        self._answers: dict[str, list[tuple[float, bool]]] = {}
        self.switches: list[tuple[str, Backends]] = []
        self.shares: list[int] = []
        self.pauses: list[str] = []
        self.ensured = 0
        self.answered: list[str] = []
        self.wrong: dict[str, str] = {}
        """Name of a set -> why its answers, as clients get them, do not pass."""

    async def ensure(self, route: Route, *, server: str) -> None:
        """The router knows this server's route."""
        for other, known in self._routes.items():
            if other != server and (known.router.name, known.host, known.path) == (route.router.name, route.host, route.path):
                raise Denied(
                    f"{route.host or 'any host'}{route.path} leads to {other} already", hint="give one of them another host or path"
                )
        if self._routes.get(server) != route:
            self._routes[server] = route
            self.ensured += 1

    async def prepare(self, server: str, *, to: Backends) -> None:
        """Nothing is slow here."""
        self._known(server)
        if not to.addresses:
            raise TargetFailed("traffic cannot be sent to nobody")

    async def switch(self, server: str, *, to: Backends, beside: Beside | None = None) -> JSONObject:
        """Send all new requests to `to`, and the named part of them beside it."""
        self._known(server)
        if not to.addresses or (beside and not beside.backends.addresses):
            raise TargetFailed("traffic cannot be sent to nobody")
        if beside and not is_share(beside.percent):
            raise TargetFailed(f"a share of {beside.percent} % cannot be sent beside")
        intended = self._clock()
        self._holds.pop(server, None)
        if self._traffic.get(server) != Traffic(to, beside):
            self._traffic[server] = Traffic(to, beside)
            self.switches.append((server, to))
            self.shares.append(beside.percent if beside else 0)
            for address in (*to.addresses, *(beside.backends.addresses if beside else ())):
                self._answers[address] = []
        return {"intended_at": intended, "prepared_at": intended, "switched_at": self._clock()}

    async def pause(self, server: str, *, at_most: float) -> None:
        """From now on `held` says so."""
        self._known(server)
        if server not in self._holds:
            self.pauses.append(server)
        self._holds[server] = at_most

    async def resume(self, server: str) -> None:
        """Nothing is held any more."""
        self._holds.pop(server, None)

    async def paused(self, server: str) -> bool:
        """Whether requests are held."""
        return server in self._holds

    async def beside(self, server: str) -> Beside | None:
        """What gets a part of the requests now."""
        traffic = self._traffic.get(server)
        return traffic.beside if traffic else None

    async def measured(self, server: str, *, of: Backends) -> Measured:
        """What a test noted of these addresses."""
        self._known(server)
        answers = [answer for address in set(of.addresses) for answer in self._answers.get(address, ())]
        return Measured(len(answers), sum(failed for _, failed in answers), within([seconds for seconds, _ in answers], 95))

    async def live(self, server: str) -> Backends | None:
        """Where requests go now."""
        traffic = self._traffic.get(server)
        return traffic.to if traffic else None

    async def in_flight(self, addresses: Sequence[str]) -> int:
        """What the test has under way."""
        return sum(self._busy.get(address, 0) for address in set(addresses))

    async def address(self, route: Route) -> str:
        """A URL that nobody listens on."""
        host, _, port = route.router.listen.rpartition(":")
        return f"http://{route.host or host or '127.0.0.1'}:{port}{route.path}"

    async def answers(self, route: Route, *, path: str) -> None:
        """At once, where the route leads to anybody."""
        if self.leads_to(route.host, route.path) is None:
            raise TargetFailed(f"{route.host}{path} gave no answer")
        self.answered.append(path)

    async def looks(self, route: Route, health: Health) -> str:
        """What a test said of the set that the route leads to."""
        found = self.leads_to(route.host, route.path)
        if found is None:
            return "status 503: nothing serves"
        return self.wrong.get(found.name, "") or ("" if health.status == _FINE else f"status {_FINE}, not {health.status}")

    async def release(self, route: Route, *, server: str) -> None:
        """Forget this server's route."""
        for known in (self._routes, self._traffic, self._holds):
            known.pop(server, None)

    def route(self, host: str, path: str) -> tuple[str, Route] | None:
        """The server that a request would go to, and its route: with the host and the longest path that fits."""
        fitting = [(server, route) for server, route in self._routes.items() if _fits(route, host, path)]
        return max(fitting, key=lambda found: (bool(found[1].host), len(found[1].path.rstrip("/"))), default=None)

    def leads_to(self, host: str, path: str) -> Backends | None:
        """Where a request would go; None where nothing serves."""
        found = self.route(host, path)
        traffic = self._traffic.get(found[0]) if found else None
        return traffic.to if traffic else None

    def slots(self, server: str) -> tuple[str, ...]:
        """The addresses among which its requests are spread evenly; none before the first switch."""
        traffic = self._traffic.get(server)
        return traffic.slots if traffic else ()

    def held(self, server: str) -> float | None:
        """For how many seconds a request that comes now waits; None where none does."""
        return self._holds.get(server)

    def note(self, address: str, *, seconds: float, failed: bool = False) -> None:
        """This address answered a request, or failed to, within so many seconds."""
        self._answers.setdefault(address, []).append((seconds, failed))

    def begin(self, address: str) -> None:
        """A request to this address is under way."""
        self._busy[address] = self._busy.get(address, 0) + 1

    def end(self, address: str) -> None:
        """And is answered."""
        self._busy[address] -= 1

    def _known(self, server: str) -> None:
        if server not in self._routes:
            raise TargetFailed(f"no router on this host knows {server}", hint="make sure of its route first")


def _fits(route: Route, host: str, path: str) -> bool:
    below = route.path.rstrip("/")
    return route.host in ("", host) and (not below or path == below or path.startswith(below + "/"))
