from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from vitrify.core.declaration import Health
from vitrify.onhost.health import look
from vitrify.testing.this_machine import free_port

pytestmark = pytest.mark.e2e


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that answers one connection."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def says(*parts: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        for part in parts:
            connection.sendall(part)

    return answer


def http(path: str = "/healthz", **more: object) -> dict[str, object]:
    return {**Health(http=path, timeout=0.2).to_json(), **more}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nfine", ""),
        (b"HTTP/1.0 500 Oh\r\n\r\n", "GET /healthz: status 500, not 200"),
        (b"SSH-2.0-OpenSSH\r\n", "GET /healthz: the answer is not HTTP"),
        (b"", "GET /healthz: the answer is not HTTP"),
    ],
)
def test_http_passes_on_the_wished_status_alone(answer: bytes, reason: str) -> None:
    with answering(says(answer)) as port:
        assert look(http(), port=port) == reason  # type: ignore[arg-type]


def test_the_host_of_the_route_is_asked_for() -> None:
    heard: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        heard.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.1 204 None\r\n\r\n")

    with answering(answer) as port:
        assert look(http(host="shop.test", status=204), port=port) == ""  # type: ignore[arg-type]
    assert b"\r\nHost: shop.test\r\n" in heard[0]


def test_a_server_that_drips_is_given_up_at_the_timeout() -> None:
    def drip(connection: socket.socket) -> None:
        connection.recv(4096)
        for _ in range(100):
            try:
                connection.sendall(b"H")
            except OSError:
                return
            threading.Event().wait(0.02)

    started = time.monotonic()
    with answering(drip) as port:
        assert look(http(), port=port) == "GET /healthz: no whole answer within 0.2 s"  # type: ignore[arg-type]
    assert time.monotonic() - started < 1.5


def test_a_port_that_nobody_listens_on_is_not_healthy() -> None:
    port = free_port()

    assert look(Health(tcp=0).to_json(), port=port) == f"nothing listens on 127.0.0.1:{port} (Connection refused)"
    assert look(http(), port=port) == "GET /healthz: Connection refused"  # type: ignore[arg-type]


def test_tcp_passes_where_somebody_listens_on_the_port_named_or_the_instances_own() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]

        assert look(Health(tcp=0).to_json(), port=port) == ""
        assert look(Health(tcp=port).to_json(), port=0) == ""


def test_a_path_that_would_end_the_request_is_refused() -> None:
    assert "is not a request" in look(http("/x\r\nEvil: 1"), port=1)  # type: ignore[arg-type]


def test_a_command_passes_by_its_exit_status_and_its_last_words_are_told() -> None:
    assert look(Health(command=("/bin/true",)).to_json(), port=1) == ""
    failing = Health(command=("/bin/sh", "-c", "echo port ${instance.port} is sad; exit 3")).to_json()
    assert look(failing, port=7) == "/bin/sh ended with 3: port 7 is sad"
    assert look(Health(command=("/no/such",)).to_json(), port=1) == "/no/such cannot be run (No such file or directory)"


def test_a_command_that_does_not_end_is_ended() -> None:
    assert look(Health(command=("/bin/sleep", "9"), timeout=0.1).to_json(), port=1) == "/bin/sleep did not end within 0.1 s"
