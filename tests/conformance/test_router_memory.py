"""The memory twin of the routers keeps the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from vitrify.core.declaration import Route, Router
from vitrify.testing.memory_router import MemoryRouter
from vitrify.testing.router_suite import RouterBench, RouterSuite

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

    def ask(self, route: Route, path: str = "/") -> tuple[int, str]:
        live = self.router.leads_to(route.host, path)
        return (200, self._names[live.addresses[next(self._asked) % len(live.addresses)]]) if live else (503, "")

    @contextmanager
    def request_under_way(self, route: Route) -> Iterator[None]:
        live = self.router.leads_to(route.host, "/")
        assert live
        self.router.begin(live.addresses[0])
        yield
        self.router.end(live.addresses[0])


class TestMemoryRouter(RouterSuite):
    @pytest.fixture
    def bench(self) -> RouterBench:
        return MemoryBench()
