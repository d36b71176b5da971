"""The memory twin of the routers keeps the same promises."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count

import pytest

from vitrify.core.declaration import Route, Router
from vitrify.core.shares import SLOTS
from vitrify.testing.memory_router import MemoryRouter
from vitrify.testing.router_bench import Reply, RouterBench
from vitrify.testing.router_suite import RouterSuite

EDGE = Router("edge", "caddy", "127.0.0.1:8080")


class MemoryBench:
    """The twin, with names for addresses."""

    def __init__(self) -> None:
        self._ticks, self._asked = count(), count()
        self.router = MemoryRouter(lambda: float(next(self._ticks)))
        self._names: dict[str, str] = {}

    def route(self, host: str = "", path: str = "/") -> Route:
        return Route(EDGE, host, path)

    def backend(self, name: str) -> str:
        address = next((address for address, known in self._names.items() if known == name), f"127.0.0.1:{9000 + len(self._names)}")
        self._names[address] = name
        return address

    def reply(self, route: Route, path: str = "/", *, headers: Mapping[str, str] | None = None) -> Reply:
        found = self.router.route(route.host, path)
        if found is None:
            return Reply(404, "")
        server, known = found
        return self._waits(server, known, path) or self._serves(server, known, path, headers or {})

    def _waits(self, server: str, route: Route, path: str) -> Reply | None:
        began = time.monotonic()
        while (hold := self.router.held(server)) is not None:
            if path == route.health:
                return Reply(200, "held\n")
            if time.monotonic() - began > hold:
                return _page(route)
            time.sleep(0.01)
        return None

    def _serves(self, server: str, route: Route, path: str, headers: Mapping[str, str]) -> Reply:
        slots = self.router.slots(server)
        if not slots:
            return _page(route)
        slot = _seat(route, headers) if route.sticky else None
        fresh = slot is None
        slot = next(self._asked) % SLOTS if slot is None else slot
        failed = path in ("/fail", "/hang-up")
        self.router.note(slots[slot], seconds=0.001, failed=failed)
        told = {"set-cookie": f"{route.sticky.cookie}={slot}; Path=/"} if route.sticky and route.sticky.cookie and fresh else {}
        return Reply(500 if failed else 200, self._names[slots[slot]], told)

    @contextmanager
    def request_under_way(self, route: Route) -> Iterator[None]:
        live = self.router.leads_to(route.host, "/")
        assert live
        self.router.begin(live.addresses[0])
        yield
        self.router.end(live.addresses[0])

    @contextmanager
    def websocket(self, route: Route) -> Iterator[Callable[[str], str]]:
        live = self.router.leads_to(route.host, "/")
        assert live
        address = live.addresses[0]
        counted = route.websockets == "drain"
        if counted:
            self.router.begin(address)
        yield lambda text: f"{self._names[address]}: {text}"
        if counted:
            self.router.end(address)

    def restart(self) -> None:
        """What is in memory does not die."""


def _page(route: Route) -> Reply:
    return Reply(503, route.maintenance, {"retry-after": "5", "content-type": "text/html; charset=utf-8"})


def _seat(route: Route, headers: Mapping[str, str]) -> int | None:
    assert route.sticky
    if route.sticky.header:
        value = headers.get(route.sticky.header)
        return None if value is None else zlib.crc32(value.encode()) % SLOTS
    name, _, slot = headers.get("Cookie", "").partition("=")
    return int(slot) if name == route.sticky.cookie else None


class TestMemoryRouter(RouterSuite):
    @pytest.fixture
    def bench(self) -> RouterBench:
        return MemoryBench()
