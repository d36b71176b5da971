"""A `Router` in memory, for the stories' tests: says where a request would go, and counts what a test has under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vitrify.core.declaration import Route
from vitrify.core.diagnostic import Denied, TargetFailed
from vitrify.core.digest import JSONObject
from vitrify.ports import Backends


class MemoryRouter:
    """A router that moves no traffic.

    `switches` lists every switch that moved traffic, oldest first; `ensured` counts what changed a configuration; `answered` lists the
    paths that were waited for.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._routes: dict[str, Route] = {}
        self._live: dict[str, Backends] = {}
        self._busy: dict[str, int] = {}
        self.switches: list[tuple[str, Backends]] = []
        self.ensured = 0
        self.answered: list[str] = []

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

    async def switch(self, server: str, *, to: Backends) -> JSONObject:
        """Send all new requests to `to`."""
        if server not in self._routes:
            raise TargetFailed(f"no router on this host knows {server}", hint="make sure of its route first")
        if not to.addresses:
            raise TargetFailed("traffic cannot be sent to nobody")
        intended = self._clock()
        if self._live.get(server) != to:
            self._live[server] = to
            self.switches.append((server, to))
        return {"intended_at": intended, "switched_at": self._clock()}

    async def live(self, server: str) -> Backends | None:
        """Where requests go now."""
        return self._live.get(server)

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

    async def release(self, route: Route, *, server: str) -> None:
        """Forget this server's route."""
        self._routes.pop(server, None)
        self._live.pop(server, None)

    def leads_to(self, host: str, path: str) -> Backends | None:
        """Where a request would go: by the route with the host and the longest path that fits; None where nothing serves."""
        fitting = [(route, server) for server, route in self._routes.items() if _fits(route, host, path)]
        if not fitting:
            return None
        _, server = max(fitting, key=lambda found: (bool(found[0].host), len(found[0].path.rstrip("/"))))
        return self._live.get(server)

    def begin(self, address: str) -> None:
        """A request to this address is under way."""
        self._busy[address] = self._busy.get(address, 0) + 1

    def end(self, address: str) -> None:
        """And is answered."""
        self._busy[address] -= 1


def _fits(route: Route, host: str, path: str) -> bool:
    below = route.path.rstrip("/")
    return route.host in ("", host) and (not below or path == below or path.startswith(below + "/"))
