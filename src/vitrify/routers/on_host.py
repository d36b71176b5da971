"""Moves traffic with the routers on the host of a session; the work itself is done there, by the payload, whichever program it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from vitrify.core.declaration import Health, Route
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Emit, silence
from vitrify.ports import Backends, Beside, Measured, Session

Program = Callable[[], Awaitable[str]]
"""Tells the path of a router's program when one has to run, and not before."""

Secret = Callable[[str], str]
"""Tells the value of a secret."""


def no_secret(name: str) -> str:
    """For routers that have no key."""
    raise UsageInvalid(f"the secret {name!r} is not declared")


@dataclass(frozen=True)
class OnHostRouter:
    """A `Router`. `home` is the folder on the target that holds its routers; `programs` are the kinds that there are, by name.

    Only `ensure` says which kind it wants: the folder of a router knows its own.
    """

    session: Session
    home: str
    programs: Mapping[str, Program]
    secret: Secret = no_secret
    emit: Emit = silence
    outside: str = "127.0.0.1"
    """Where clients on this machine reach the target."""

    async def ensure(self, route: Route, *, server: str) -> None:
        """The router runs and knows this server's route; changes nothing where it does already."""
        router = route.router
        if router.kind not in self.programs:
            raise UsageInvalid(f"the router {router.name} is of kind {router.kind}", hint=f"kinds: {', '.join(self.programs)}")
        known: JSONObject = {"name": router.name, "kind": router.kind, "listen": router.listen, "tls": router.tls}
        if router.certificate:
            known |= {"certificate": router.certificate, "key": self.secret(router.key)}
        known |= {name: value for name, value in (("authority", router.authority), ("roots", router.roots)) if value}
        await self._call("ensure", router=known, route=_wish(route, server), program=await self.programs[router.kind]())

    async def prepare(self, server: str, *, to: Backends) -> None:
        """Write the set of addresses on the target, and tell it to a router that has to be told."""
        await self._call("prepare", server=server, set=to.name, addresses=list(to.addresses))

    async def switch(self, server: str, *, to: Backends, beside: Beside | None = None) -> JSONObject:
        """Send all new requests to `to`, and the named part of them beside it, in one step on the target."""
        second: JSON = None
        if beside:
            second = {"set": beside.backends.name, "addresses": list(beside.backends.addresses), "percent": beside.percent}
        return await self._call("switch", server=server, set=to.name, addresses=list(to.addresses), beside=second)

    async def pause(self, server: str, *, at_most: float) -> None:
        """Hold new requests."""
        await self._call("pause", server=server, at_most=at_most)

    async def resume(self, server: str) -> None:
        """Let requests through again."""
        await self._call("resume", server=server)

    async def paused(self, server: str) -> bool:
        """Whether requests are held."""
        return bool((await self._call("live", server=server))["hold"])

    async def beside(self, server: str) -> Beside | None:
        """What gets a part of the requests now."""
        found = (await self._call("live", server=server))["beside"]
        if not isinstance(found, dict):
            return None
        percent = found["percent"]
        return Beside(_backends(found), percent if isinstance(percent, int) else 0)

    async def live(self, server: str) -> Backends | None:
        """Where requests go now; None before the first switch."""
        found = await self._call("live", server=server)
        return _backends(found) if found["set"] else None

    async def measured(self, server: str, *, of: Backends) -> Measured:
        """What the answers of this set were like, by the access log."""
        found = await self._call("measured", server=server, addresses=list(of.addresses))
        requests, errors, p95 = found["requests"], found["errors"], found["p95"]
        return Measured(_whole(requests), _whole(errors), float(p95) if isinstance(p95, (int, float)) else None)

    async def in_flight(self, addresses: Sequence[str]) -> int:
        """Requests that these addresses are still answering."""
        return _whole((await self._call("in_flight", addresses=list(addresses)))["requests"])

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

    async def looks(self, route: Route, health: Health) -> str:
        """One look through the router, by the name of the route."""
        router = route.router
        found = await self._call("looks", listen=router.listen, tls=router.tls, host=route.host, path=route.path, health=health.to_json())
        return str(found["reason"])

    async def release(self, route: Route, *, server: str) -> None:
        """Forget this server's route; a router that has no route left ends."""
        await self._call("release", router={"name": route.router.name}, server=server)

    async def _call(self, name: str, **arguments: JSON) -> JSONObject:
        return await self.session.call(f"router.{name}", {"home": self.home, **arguments}, emit=self.emit)


def _wish(route: Route, server: str) -> JSONObject:
    found: JSONObject = {"server": server, "host": route.host, "path": route.path, "health": route.health}
    if route.sticky:
        found |= {"cookie": route.sticky.cookie, "header": route.sticky.header}
    if route.maintenance:
        found["maintenance"] = route.maintenance
    return {**found, "websockets": route.websockets} if route.websockets != "drain" else found


def _backends(found: JSONObject) -> Backends:
    addresses = found["addresses"]
    return Backends(str(found["set"]), tuple(str(address) for address in addresses) if isinstance(addresses, list) else ())


def _whole(value: JSON) -> int:
    return value if isinstance(value, int) else 0
