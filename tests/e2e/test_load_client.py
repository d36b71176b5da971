from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from vitrify.core.digest import JSONObject
from vitrify.testing.load import Load, run
from vitrify.testing.this_machine import free_port

pytestmark = pytest.mark.e2e

Serve = Callable[[socket.socket], None]


@contextmanager
def serving(serve: Serve) -> Iterator[str]:
    """A server that treats each of its connections in the same way."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0.02)
        over = threading.Event()

        def accept() -> None:
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                connection.settimeout(0.5)
                with connection:
                    serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        over.set()
        thread.join()


def request(connection: socket.socket) -> bytes:
    try:
        return connection.recv(4096)
    except OSError:
        return b""


def put_on(url: str, **more: object) -> JSONObject:
    return run(Load(url, connections=1, seconds=0.06, timeout=0.1, **more), threading.Event())  # type: ignore[arg-type]


def answers(*parts: bytes, hang_up: bool = False) -> Serve:
    def serve(connection: socket.socket) -> None:
        while request(connection):
            for part in parts:
                connection.sendall(part)
            if hang_up:
                return

    return serve


def test_whole_answers_are_counted_by_release() -> None:
    with serving(answers(b"HTTP/1.1 200 OK\r\nX-Release: blue\r\nContent-Length: 4\r\n\r\nfi", b"ne")) as url:
        report = put_on(url, expect="fine")

    assert report["lost"] == 0
    assert report["answered"] == report["requests"]
    assert report["releases"] == {"blue": report["answered"]}
    assert report["connections"] == 1


def test_chunked_answers_are_whole_ones() -> None:
    with serving(answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfin\r\n1\r\ne\r\n0\r\n\r\n")) as url:
        report = put_on(url, expect="fine")

    assert (report["lost"], report["first_error"]) == (0, None)


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (answers(hang_up=True), "the connection ended without an answer"),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfine", hang_up=True), "the connection ended within the answer"),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfine"), "no whole answer in time"),
        (answers(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), "status 503"),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"), "another body: b'bad'"),
        (answers(b"SSH-2.0\r\n\r\n"), "not HTTP: 'SSH-2.0'"),
    ],
)
def test_anything_else_is_lost_and_never_asked_for_again(serve: Serve, reason: str) -> None:
    with serving(serve) as url:
        report = put_on(url, expect="fine")

    assert report["answered"] == 0
    assert report["lost"] == report["requests"]
    assert isinstance(report["first_error"], dict)
    assert report["first_error"]["reason"] == reason


def test_a_refused_connection_is_a_lost_request() -> None:
    report = put_on(f"http://127.0.0.1:{free_port()}/", pause=0.01)

    assert report["lost"] == report["requests"] != 0


def test_a_connection_that_was_ended_between_two_requests_loses_nothing() -> None:
    with serving(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine", hang_up=True)) as url:
        report = put_on(url, expect="fine", pause=0.01)

    assert report["lost"] == 0, report["errors"]
    assert report["connections"] == report["answered"]


def test_with_echo_the_answer_must_hold_this_very_request() -> None:
    with serving(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nr9.9")) as url:
        report = put_on(url, echo=True)

    assert report["answered"] == 0
