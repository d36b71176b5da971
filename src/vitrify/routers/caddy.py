"""Moves traffic with Caddy on the host of a session; the work itself is done there, by the payload."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from vitrify.core.declaration import Route
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Emit, silence
from vitrify.ports import Backends, Session
from vitrify.project.tools import caddy_here


@dataclass(frozen=True)
class CaddyRouter:
    """A `Router`. `home` is the folder on the target that holds its routers; `caddy` tells the program's path when asked."""

    session: Session
    home: str
    caddy: Callable[[], Awaitable[str]] = caddy_here
    emit: Emit = silence
    outside: str = "127.0.0.1"
    """Where clients on this machine reach the target."""

    async def ensure(self, route: Route, *, server: str) -> None:
        """The router runs and knows this server's route; changes nothing where it does already."""
        router = route.router
        if router.kind != "caddy":
            raise UsageInvalid(f"the router {router.name} is of kind {router.kind}", hint="kinds: caddy")
        known: JSONObject = {"name": router.name, "listen": router.listen, "tls": router.tls}
        wanted: JSONObject = {"server": server, "host": route.host, "path": route.path}
        await self._call("ensure", router=known, route=wanted, caddy=await self.caddy())

    async def switch(self, server: str, *, to: Backends) -> JSONObject:
        """Send all new requests to `to`, by one rename on the target."""
        return await self._call("switch", server=server, set=to.name, addresses=list(to.addresses))

    async def live(self, server: str) -> Backends | None:
        """Where requests go now; None before the first switch."""
        found = await self._call("live", server=server)
        addresses = found["addresses"]
        if not found["set"] or not isinstance(addresses, list):
            return None
        return Backends(str(found["set"]), tuple(str(address) for address in addresses))

    async def in_flight(self, addresses: Sequence[str]) -> int:
        """Requests that these addresses are still answering."""
        count = (await self._call("in_flight", addresses=list(addresses)))["requests"]
        return count if isinstance(count, int) else 0

    async def address(self, route: Route) -> str:
        """The URL under which a client on this machine reaches the route."""
        host, _, port = route.router.listen.rpartition(":")
        anywhere = host in ("", "0.0.0.0", "[::]")  # noqa: S104  read, not bound
        scheme, usual = ("http", "80") if route.router.tls == "off" else ("https", "443")
        name = route.host or (self.outside if anywhere else host)
        return f"{scheme}://{name}{'' if port == usual else f':{port}'}{route.path}"

    async def answers(self, route: Route, *, path: str) -> None:
        """Return once a client on the target got a complete answer from this path."""
        await self._call("answers", listen=route.router.listen, tls=route.router.tls, host=route.host, path=path)

    async def release(self, route: Route, *, server: str) -> None:
        """Forget this server's route; a router that has no route left ends."""
        await self._call("release", router={"name": route.router.name}, server=server)

    async def _call(self, name: str, **arguments: JSON) -> JSONObject:
        return await self.session.call(f"router.{name}", {"home": self.home, **arguments}, emit=self.emit)
