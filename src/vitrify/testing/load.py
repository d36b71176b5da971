"""A client that never retries and counts what it lost: keep-alive POSTs over raw sockets, as a program of its own.

    python -m vitrify.testing.load http://127.0.0.1:8080/ --connections 8 --seconds 10

A request is lost if its connection was refused, or if its first byte was sent and no complete 2xx answer with the expected
body came in time. Ends early on SIGTERM or SIGINT, behind the requests under way; tells all as one JSON object.
"""

from __future__ import annotations

import argparse
import json
import re
import select
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSON, JSONObject

LARGEST = 1 << 20
"""Bytes of an answer; more is not what any of our applications answers."""


@dataclass(frozen=True)
class Load:
    """What to ask, and what a whole answer is. `expect` must be in its body; with `echo` the body of the request, too."""

    url: str
    connections: int = 4
    seconds: float = 10.0
    timeout: float = 10.0
    host: str = ""
    expect: str = ""
    echo: bool = False
    release_header: str = "x-release"
    pause: float = 0.0
    """Seconds between two requests of one connection."""


@dataclass(frozen=True)
class Answer:
    """A complete answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class LostError(VitrifyError):
    """The request is lost; the message says how."""


@dataclass
class Tally:
    """What one connection counted; each has its own, so that nothing is shared while it counts."""

    answered: int = 0
    connections: int = 0
    latencies: list[float] = field(default_factory=list)
    releases: Counter[str] = field(default_factory=Counter)
    first_seen: dict[str, float] = field(default_factory=dict)
    errors: list[tuple[float, str]] = field(default_factory=list)


class _Client:
    """One keep-alive connection."""

    def __init__(self, load: Load, name: str, stop: threading.Event) -> None:
        parts = urlsplit(load.url)
        self._load, self._name, self._stop = load, name, stop
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._path, self._host = parts.path or "/", load.host or parts.netloc
        self._socket: socket.socket | None = None
        self.tally = Tally()

    def run(self) -> None:
        count = 0
        while not self._stop.is_set():
            count += 1
            started = time.time()
            try:
                answer = self._ask(f"{self._name}.{count}")
            except LostError as error:
                self.tally.errors.append((started, str(error)))
                self._hang_up()
                continue
            self._count(answer, started)
            if self._load.pause:
                self._stop.wait(self._load.pause)
        self._hang_up()

    def _count(self, answer: Answer, started: float) -> None:
        self.tally.answered += 1
        self.tally.latencies.append(time.time() - started)
        release = answer.headers.get(self._load.release_header, "")
        self.tally.releases[release] += 1
        self.tally.first_seen.setdefault(release, time.time())
        if answer.headers.get("connection", "").lower() == "close":
            self._hang_up()

    def _ask(self, token: str) -> Answer:
        until = time.monotonic() + self._load.timeout
        connection = self._connected(until)
        body = token.encode()
        head = f"POST {self._path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            connection.sendall(head.encode() + body)
            answer = _receive(connection, until)
        except TimeoutError as error:
            raise LostError("no whole answer in time") from error
        except OSError as error:
            raise LostError(f"{type(error).__name__}: {error}") from error
        if not 200 <= answer.status < 300:
            raise LostError(f"status {answer.status}")
        if self._load.expect.encode() not in answer.body or (self._load.echo and body not in answer.body):
            raise LostError(f"another body: {answer.body[:80]!r}")
        return answer

    def _connected(self, until: float) -> socket.socket:
        # A server may hang up between two requests; seen before the first byte of the next, that loses nothing.
        if self._socket is not None and not select.select([self._socket], [], [], 0)[0]:
            return self._socket
        self._hang_up()
        try:
            self._socket = socket.create_connection(self._address, timeout=max(0.001, until - time.monotonic()))
        except OSError as error:
            raise LostError(f"no connection: {error}") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tally.connections += 1
        return self._socket

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _receive(connection: socket.socket, until: float) -> Answer:
    data = _read(connection, b"", until)
    while b"\r\n\r\n" not in data:
        data = _read(connection, data, until)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = re.match(r"HTTP/1\.[01] ([0-9]{3})", first)
    if status is None:
        raise LostError(f"not HTTP: {first[:80]!r}")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return Answer(int(status.group(1)), headers, _chunks(connection, body, until))
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        body = _read(connection, body, until)
    return Answer(int(status.group(1)), headers, body)


def _chunks(connection: socket.socket, data: bytes, until: float) -> bytes:
    body = b""
    while True:
        while b"\r\n" not in data:
            data = _read(connection, data, until)
        size, _, data = data.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        while len(data) < length + 2:
            data = _read(connection, data, until)
        body, data = body + data[:length], data[length + 2 :]
        if length == 0:
            return body


def _read(connection: socket.socket, data: bytes, until: float) -> bytes:
    left = until - time.monotonic()
    if left <= 0:
        raise LostError("no whole answer in time")
    connection.settimeout(left)
    more = connection.recv(1 << 16)
    if not more:
        raise LostError("the connection ended within the answer" if data else "the connection ended without an answer")
    if len(data) + len(more) > LARGEST:
        raise LostError("the answer does not end")
    return data + more


def run(load: Load, stop: threading.Event) -> JSONObject:
    """Put the load on until its time is over or `stop` is set; tells what came of it."""
    started = time.time()
    clients = [_Client(load, f"r{index}", stop) for index in range(load.connections)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    stop.wait(load.seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return _report([client.tally for client in clients], time.time() - started)


def _report(tallies: Sequence[Tally], seconds: float) -> JSONObject:
    errors = sorted(error for tally in tallies for error in tally.errors)
    latencies = sorted(latency for tally in tallies for latency in tally.latencies)
    answered = sum(tally.answered for tally in tallies)
    releases: Counter[str] = Counter()
    first: dict[str, float] = {}
    for tally in tallies:
        releases.update(tally.releases)
        for release, at in tally.first_seen.items():
            first[release] = min(at, first.get(release, at))
    return {
        "requests": answered + len(errors),
        "answered": answered,
        "lost": len(errors),
        "connections": sum(tally.connections for tally in tallies),
        "seconds": seconds,
        "releases": dict(sorted(releases.items())),
        "first_seen": dict(sorted(first.items())),
        "latency_ms": {name: _percentile(latencies, share) for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))},
        "first_error": _error(errors[:1]),
        "last_error": _error(errors[-1:]),
        "errors": dict(Counter(reason for _, reason in errors).most_common(10)),
    }


def _percentile(latencies: Sequence[float], share: float) -> float:
    return round(latencies[min(len(latencies) - 1, int(len(latencies) * share))] * 1000, 3) if latencies else 0.0


def _error(errors: Sequence[tuple[float, str]]) -> JSON:
    return {"at": errors[0][0], "reason": errors[0][1]} if errors else None


def main(arguments: Sequence[str] | None = None) -> int:
    """The program: 0 where nothing was lost, else 1."""
    parser = argparse.ArgumentParser(description="Counts lost requests.")
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--timeout", type=float, default=10.0)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--host", default="")
    parser.add_argument("--expect", default="")
    parser.add_argument("--echo", action="store_true")
    parser.add_argument("--release-header", default="x-release")
    parser.add_argument("--out", default="", help="a file for the report; standard output otherwise")
    given = vars(parser.parse_args(arguments))
    out = given.pop("out")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    given["release_header"] = given["release_header"].lower()
    report = run(Load(**given), stop)
    text = json.dumps(report, indent=1) + "\n"
    if out:
        Path(out).write_text(text)
    else:
        sys.stdout.write(text)
    return 0 if report["lost"] == 0 else 1


if __name__ == "__main__":
    raise SystemExit(main())
