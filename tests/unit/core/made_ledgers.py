"""Ledgers that are made for these tests, and servers to be assessed by them."""

from __future__ import annotations

from vitrify.core.assess.assessment import Assessment, assessed
from vitrify.core.assess.measured import Looked, Measured
from vitrify.core.declaration import Host, Lifecycle, Rollout, Server
from vitrify.core.diagnostic import Location
from vitrify.core.digest import JSON
from vitrify.core.trend import Told

NOW = 1_800_000_000.0
HOUR, DAY = 3_600.0, 86_400.0


def a_server(name: str = "db", *, image: bool = False, hosts: int = 1, replicas: int = 1, strategy: str = "blue-green") -> Server:
    """A server without resources, on so many hosts."""
    return Server(
        name=name,
        lifecycle=Lifecycle.IMMUTABLE if image else Lifecycle.MUTABLE,
        hosts=tuple(Host(f"{name}-{number}") for number in range(hosts)),
        resources=(),
        where=Location("vitrify.yaml", 1, 1),
        replicas=replicas,
        rollout=Rollout(strategy=strategy, keep_warm=600.0),
    )


def told(kind: str, at: float, *, server: str = "db", **body: JSON) -> Told:
    """An entry about a server, so many seconds before now."""
    return Told(kind, NOW - at, {"server": server, **body})


def applied(at: float, took: float, *addresses: str, name: str = "a", server: str = "db", **more: JSON) -> tuple[Told, Told]:
    """A change in place, from intent to outcome."""
    changes: list[JSON] = [[address, "update"] for address in addresses or ("file:/etc/motd",)]
    host = more.pop("host", "db-0")
    sent = {"bytes": more.pop("bytes")} if "bytes" in more else {}
    intended = told("apply.intended", at, server=server, operation=name, host=host, changes=changes, **more)
    return intended, told("apply.done", at - took, server=server, operation=name, host=host, **sent)


def released(at: float, took: float, *, name: str = "r", **more: JSON) -> tuple[Told, ...]:
    """A release, from intent to its end, ten seconds behind its switch."""
    about: dict[str, JSON] = {"server": "web", "operation": name, "host": "web-0", **more}
    return (
        Told("release.intended", NOW - at, about),
        Told("switch.done", NOW - at + took, about),
        Told("release.done", NOW - at + took + 10, about),
    )


def of(entries: tuple[Told, ...], *looked: Looked, days: int = 30) -> Assessment:
    """What is said of these servers."""
    return assessed(entries, looked, days=days, now=NOW)


def one(*entries: Told, looked: Looked | None = None) -> Measured:
    """The figures of one mutable server, or of the one that was looked at."""
    (found,) = of(entries, looked or Looked(a_server())).servers
    return found
