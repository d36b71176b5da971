"""Real routers for the suite: one program for all tests of a module, real servers behind it and real clients before it."""

from __future__ import annotations

import base64
import hashlib
import http.client
import http.server
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from vitrify.core.declaration import Route, Router
from vitrify.core.digest import JSONObject
from vitrify.onhost.engine import engine
from vitrify.onhost.routes import read_router
from vitrify.routers.on_host import OnHostRouter
from vitrify.testing.router_bench import Reply, ask, do, to
from vitrify.testing.this_machine import ThisMachine, free_port

ANCHOR = "anchor"
"""A server whose route is never released, so that the router stays."""


class Backend(http.server.ThreadingHTTPServer):
    """Answers with its name; `/hold` waits until it is let go, `/fail` is an error, and a WebSocket gives back what it is told."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.name, self.go_on = name, threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    """For `Backend`."""

    protocol_version, wbufsize, disable_nagle_algorithm = "HTTP/1.1", -1, True
    server: Backend

    def do_GET(self) -> None:
        if self.headers.get("Upgrade") == "websocket":
            return self._echo()
        if self.path == "/hold":
            self.server.go_on.wait(10)
        body = self.server.name.encode()
        self.send_response(500 if self.path == "/fail" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        return None

    def _echo(self) -> None:
        key = self.headers["Sec-WebSocket-Key"].encode()
        accept = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324  the protocol says so
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        while (head := self.rfile.read(2)) and head[0] & 0x0F == 1:
            mask = self.rfile.read(4)
            said = bytes(byte ^ mask[place % 4] for place, byte in enumerate(self.rfile.read(head[1] & 0x7F)))
            answer = f"{self.server.name}: ".encode() + said
            self.wfile.write(struct.pack("!BB", 0x81, len(answer)) + answer)
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Say nothing."""


class RealBench:
    """A real router of one kind and real backends."""

    def __init__(self, machine: ThisMachine, kind: str, programs: Mapping[str, Callable[[], str]]) -> None:
        self.machine, self.edge, self._programs = machine, Router("edge", kind, f"127.0.0.1:{free_port()}"), programs
        self.backends: dict[str, Backend] = {}
        do(self.router.ensure(self.route("anchor.test"), server=ANCHOR))

    @property
    def router(self) -> OnHostRouter:
        return self.finding(self.machine)

    def finding(self, machine: ThisMachine) -> OnHostRouter:
        """The router, as it is found by way of these calls."""

        def told(find: Callable[[], str]) -> Callable[[], object]:
            async def program() -> str:
                return find()

            return program

        return OnHostRouter(machine.session, machine.home, {kind: told(find) for kind, find in self._programs.items()})  # type: ignore[misc]

    @property
    def folder(self) -> Path:
        return Path(self.machine.home, "routers", "edge")

    def route(self, host: str = "", path: str = "/") -> Route:
        return Route(self.edge, host, path)

    def backend(self, name: str) -> str:
        if name not in self.backends:
            self.backends[name] = Backend(name)
        return f"127.0.0.1:{self.backends[name].server_address[1]}"

    def reply(self, route: Route, path: str = "/", *, headers: Mapping[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection(self.edge.listen, timeout=20)
        try:
            connection.request("GET", path, headers={**({"Host": route.host} if route.host else {}), **(headers or {})})
            answer = connection.getresponse()
            return Reply(answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()})
        finally:
            connection.close()

    @contextmanager
    def request_under_way(self, route: Route) -> Iterator[None]:
        live = do(self.router.live("web"))
        assert live
        for backend in self.backends.values():
            backend.go_on.clear()
        held = threading.Thread(target=self.reply, args=(route, "/hold"))
        held.start()
        self._comes_to(live.addresses, 1)
        yield
        for backend in self.backends.values():
            backend.go_on.set()
        held.join()
        self._comes_to(live.addresses, 0)

    def _comes_to(self, addresses: tuple[str, ...], count: int) -> None:
        until = time.monotonic() + 5
        while do(self.router.in_flight(addresses)) != count:
            assert time.monotonic() < until
            time.sleep(0.01)

    @contextmanager
    def websocket(self, route: Route) -> Iterator[Callable[[str], str]]:
        live = do(self.router.live("web"))
        assert live
        host, port = self.edge.listen.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection, connection.makefile("rb") as heard:
            key = base64.b64encode(os.urandom(16)).decode()
            asked = f"GET / HTTP/1.1\r\nHost: {route.host or host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            connection.sendall(f"{asked}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
            assert b" 101 " in heard.readline()
            while heard.readline().strip():
                pass

            def say(text: str) -> str:
                connection.sendall(struct.pack("!BB", 0x81, 0x80 | len(text)) + bytes(4) + text.encode())
                return heard.read(heard.read(2)[1]).decode()

            yield say
        self._comes_to(live.addresses, 0)

    def restart(self) -> None:
        before = self.machine.state(self.folder)
        self.machine.kill_application(self.folder)
        until = time.monotonic() + 20
        while (found := self.machine.state(self.folder)).restarts == before.restarts or found.status != "running" or not self._answers():
            assert time.monotonic() < until, f"{found}: {(self.folder / 'log').read_text()[-500:]}"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return self.reply(self.route("anchor.test")).status == 503
        except (OSError, http.client.HTTPException):
            return False

    def clear(self) -> None:
        """Release every route but the anchor's."""
        found = read_router(str(self.folder))
        for route in found.routes if found else ():
            if route.server != ANCHOR:
                do(self.router.release(self.route(), server=route.server))

    def end(self) -> None:
        self.machine.end()
        for backend in self.backends.values():
            backend.shutdown()
            backend.server_close()


class Logs:
    """What a router writes down of its answers, and who may read that or talk to it."""

    def test_an_answer_is_a_line_that_tells_no_secret_and_that_its_owner_alone_can_read(self, bench: RealBench) -> None:
        route = bench.route("shop.test")
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=to(bench, "blue")))
        found: list[JSONObject] = []
        ask(bench, route, '/say?token=hunter2&"')
        bench.reply(route, '/"quoted"', headers={"Authorization": "Basic hunter2", "Cookie": "hunter2"})

        until = time.monotonic() + 5
        logs = [Path(log) for log in engine(bench.edge.kind).logs(str(bench.folder))]
        while len(found) < 2:
            assert time.monotonic() < until
            # Other tests were answered by this router before.
            lines = [json.loads(line) for log in logs if log.exists() for line in log.read_text().splitlines() if '"shop.test' in line]
            found = [line for line in lines if line["request"]["uri"] in ("/say", '/"quoted"')]

        asked = [line["request"] for line in found]
        assert [one["uri"] for one in asked if isinstance(one, dict)] == ["/say", '/"quoted"']
        assert all(str(line["to"]).endswith(bench.backend("blue")) for line in found)
        assert {line["status"] for line in found} == {200}
        assert "hunter2" not in "".join(log.read_text() for log in logs if log.exists())
        kept = [path for path in bench.folder.iterdir() if path.is_socket() or path in logs]
        assert {path.name: oct(path.stat().st_mode & 0o777) for path in kept} == {path.name: "0o600" for path in kept}


POINTS = [f"router-{act}.{stage}" for act in ("switch", "hold") for stage in ("intent", "act", "outcome")]


class KilledError(Exception):
    """The process ends here."""


class Kills:
    """Whatever moment a change of traffic is killed at, the router is wholly before or after it, says which, and takes it again."""

    @pytest.mark.parametrize("point", POINTS)
    def test_what_was_killed_is_done_wholly_or_not_and_can_be_done_again(self, bench: RealBench, point: str) -> None:
        route, blue, green = bench.route(), to(bench, "blue"), to(bench, "green")
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=blue))

        def die(reached: str) -> None:
            if reached == point:
                raise KilledError

        dying = bench.finding(replace(bench.machine, reached=die))

        async def change(router: OnHostRouter) -> None:
            await (router.switch("web", to=green) if "switch" in point else router.pause("web", at_most=0.5))

        with pytest.raises(KilledError):
            do(change(dying))

        live = do(bench.router.live("web"))
        assert live
        status = 503 if do(bench.router.paused("web")) else 200
        assert ask(bench, route)[0] == status
        assert status == 503 or ask(bench, route)[1] == live.name
        if point.endswith(".act"):  # a shim that starts the same program again and again takes longer each time
            bench.restart()
        do(change(bench.router))
        assert do(bench.router.live("web")) == (green if "switch" in point else blue)
        assert do(bench.router.paused("web")) == ("hold" in point)
        do(bench.router.switch("web", to=green))
        assert ask(bench, route) == (200, "green")
