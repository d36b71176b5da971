"""Caddy keeps the promises of a router."""

from __future__ import annotations

import http.client
import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vitrify.core.declaration import Route, Router
from vitrify.onhost.identity import alive
from vitrify.project.binaries import find_bubblewrap, find_caddy
from vitrify.routers.caddy import CaddyRouter
from vitrify.testing.router_suite import RouterBench, RouterSuite, do
from vitrify.testing.this_machine import ThisMachine, free_port

pytestmark = pytest.mark.e2e


class Backend(http.server.ThreadingHTTPServer):
    """Answers with its name; `/hold` waits until it is let go."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.name, self.go_on = name, threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    """For `Backend`."""

    protocol_version = "HTTP/1.1"
    server: Backend

    def do_GET(self) -> None:
        if self.path == "/hold":
            self.server.go_on.wait(10)
        body = self.server.name.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Say nothing."""


class CaddyBench:
    """A real Caddy and real backends."""

    def __init__(self, machine: ThisMachine) -> None:
        self.machine, self.edge = machine, Router("edge", "caddy", f"127.0.0.1:{free_port()}")
        self.backends: dict[str, Backend] = {}

    @property
    def router(self) -> CaddyRouter:
        return CaddyRouter(self.machine.session, home=self.machine.home)

    def route(self, host: str = "", path: str = "/") -> Route:
        return Route(self.edge, host, path)

    def backend(self, name: str) -> str:
        if name not in self.backends:
            self.backends[name] = Backend(name)
        return f"127.0.0.1:{self.backends[name].server_address[1]}"

    def ask(self, route: Route, path: str = "/") -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.edge.listen, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": route.host} if route.host else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    @contextmanager
    def request_under_way(self, route: Route) -> Iterator[None]:
        live = do(self.router.live("web"))
        assert live
        held = threading.Thread(target=self.ask, args=(route, "/hold"))
        held.start()
        until = time.monotonic() + 5
        while do(self.router.in_flight(live.addresses)) == 0:
            assert time.monotonic() < until
        yield
        for backend in self.backends.values():
            backend.go_on.set()
        held.join()
        while do(self.router.in_flight(live.addresses)) and time.monotonic() < until:
            time.sleep(0.01)

    def end(self) -> None:
        self.machine.end()
        for backend in self.backends.values():
            backend.shutdown()
            backend.server_close()


class TestCaddy(RouterSuite):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[RouterBench]:
        bench = CaddyBench(ThisMachine(tmp_path, find_bubblewrap, find_caddy))
        yield bench
        bench.end()

    def test_a_router_without_routes_ends_and_leaves_nothing(self, bench: CaddyBench) -> None:
        do(bench.router.ensure(bench.route(), server="web"))
        state = bench.machine.state(Path(bench.machine.home, "routers", "edge"))
        assert alive(state.application)

        do(bench.router.release(bench.route(), server="web"))

        assert not alive(state.application)
        assert not alive(state.shim)
        assert [entry.name for entry in Path(bench.machine.home).glob("*/[!.]*")] == []
