"""A client that never retries and counts what it lost: raw sockets, a program of its own, nothing of vitrify in it.

    python client.py http://127.0.0.1:8080/ --get 4 --post 4 --slow 2 --websockets 2 --seconds 60 --out report.json

Lost is a request whose connection was refused, or whose first byte was sent and that has no complete 2xx answer with the expected body
in time. A connection that its server closed between two requests, seen before the next one's first byte, loses nothing; it is counted as
one more connection. SIGTERM ends it behind the requests under way. A WebSocket that ends is opened anew and counted, and so is
every message without its echo.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

IN_TIME = 10.0
"""Seconds for an answer, beyond what it was asked to take."""


class LostError(Exception):
    """The request is lost; says how."""


@dataclass
class Tally:
    """What all connections counted."""

    answered: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    lost_at: list[float] = field(default_factory=list)
    connections: int = 0
    releases: Counter[str] = field(default_factory=Counter)
    sockets: Counter[str] = field(default_factory=Counter)
    samples: list[tuple[float, float]] = field(default_factory=list)
    """When it was asked, and the seconds to the whole answer; of GET and POST alone."""


@dataclass(frozen=True)
class Wish:
    """One request, and what its answer must hold."""

    kind: str
    head: str
    body: bytes = b""
    expect: bytes = b""
    takes: float = 0.0


class Line:
    """One keep-alive connection."""

    def __init__(self, url: str, tally: Tally) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.name, self.tally = parts.netloc, tally
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, wish: Wish) -> None:
        """Once."""
        began = time.time()
        try:
            async with asyncio.timeout(IN_TIME + wish.takes):
                release = await self._exchange(wish)
        except (LostError, OSError, EOFError, TimeoutError) as error:
            self.hang_up()
            self.tally.lost[wish.kind] += 1
            self.tally.lost_at.append(began)
            self.tally.reasons[f"{wish.kind}: {type(error).__name__}: {error}"[:120]] += 1
            return
        self.tally.answered[wish.kind] += 1
        self.tally.releases[release] += 1
        if not wish.takes:
            self.tally.samples.append((began, time.time() - began))

    async def _exchange(self, wish: Wish) -> str:
        reader, writer = await self.opened()
        head = f"{wish.head}\r\nHost: {self.name}\r\nContent-Length: {len(wish.body)}\r\n\r\n"
        writer.write(head.encode() + wish.body)
        status, headers = await read_head(reader)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if not 200 <= status < 300:
            raise LostError(f"status {status}")
        if (wish.expect and body != wish.expect) or "x-release" not in headers:
            raise LostError(f"another body: {body[:40]!r}")
        if headers.get("connection", "").lower() == "close":
            self.hang_up()
        return headers["x-release"]

    async def opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection; another one where it was closed in the meantime."""
        if self._ends is not None:
            await asyncio.sleep(0)  # lets a close that has come already be seen
            if not self._ends[0].at_eof() and not self._ends[1].is_closing():
                return self._ends
            self.hang_up()
        self._ends = await asyncio.open_connection(self.host, self.port)
        self.tally.connections += 1
        return self._ends

    def hang_up(self) -> None:
        """Close it, whatever is under way."""
        if self._ends is not None:
            self._ends[1].close()
            self._ends = None


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    if not first.startswith("HTTP/1.1 "):
        raise LostError(f"not HTTP: {first[:40]!r}")
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


async def ordinary(line: Line, name: str, stop: asyncio.Event, *, post: bool, pause: float) -> None:
    """GETs or POSTs one behind the other; each POST has a body of its own, from some bytes to 16 KiB."""
    count = 0
    while not stop.is_set():
        count += 1
        body = (f"{name}.{count};".encode() * (1 + count % 7 * 200)) if post else b""
        await line.ask(Wish("post", "POST / HTTP/1.1", body, body) if post else Wish("get", "GET / HTTP/1.1"))
        await idle(stop, pause)
    line.hang_up()


async def slow(line: Line, stop: asyncio.Event, *, takes: float) -> None:
    """Requests whose answer takes long, so that switches and drains come meanwhile."""
    while not stop.is_set():
        await line.ask(Wish("slow", f"GET /slow/{takes} HTTP/1.1", expect=b"slow", takes=takes))
    line.hang_up()


async def websocket(line: Line, stop: asyncio.Event) -> None:
    """Messages ten times a second, each with its echo."""
    while not stop.is_set():
        try:
            async with asyncio.timeout(IN_TIME):
                reader, writer = await upgraded(line)
        except (LostError, OSError, EOFError, TimeoutError) as error:
            line.tally.lost["websocket"] += 1
            line.tally.reasons[f"websocket: {type(error).__name__}: {error}"[:120]] += 1
            line.hang_up()
            await idle(stop, 0.05)
            continue
        line.tally.sockets["opened"] += 1
        await talk(reader, writer, line.tally, stop)
        line.hang_up()


async def upgraded(line: Line) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that is a WebSocket by now."""
    reader, writer = await line.opened()
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}"
    writer.write(f"GET /socket HTTP/1.1\r\nHost: {line.name}\r\n{upgrade}\r\n\r\n".encode())
    status, _ = await read_head(reader)
    if status != 101:
        raise LostError(f"status {status}")
    return reader, writer


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tally: Tally, stop: asyncio.Event) -> None:
    """Until it is cut, or all is over."""
    count = 0
    while not stop.is_set():
        count += 1
        text = str(count).encode()
        mask = os.urandom(4)
        writer.write(bytes([0x81, 0x80 | len(text)]) + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(text)))
        tally.sockets["messages"] += 1
        try:
            async with asyncio.timeout(IN_TIME):
                head = await reader.readexactly(2)
                echo = await reader.readexactly(head[1] & 127)
        except (OSError, EOFError, TimeoutError):
            tally.sockets["cut"] += 1
            tally.sockets["without echo"] += 1
            return
        tally.sockets["echoed"] += echo == text
        await idle(stop, 0.1)


async def idle(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but not beyond the end."""
    if seconds:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
    else:
        await asyncio.sleep(0)


async def run(given: argparse.Namespace) -> Tally:
    """Put the load on; what came of it."""
    tally, stop = Tally(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.call_later(given.seconds, stop.set)
    kinds: Sequence[tuple[int, Callable[[int, Line], Awaitable[None]]]] = (
        (given.get, lambda index, line: ordinary(line, f"g{index}", stop, post=False, pause=given.pause)),
        (given.post, lambda index, line: ordinary(line, f"p{index}", stop, post=True, pause=given.pause)),
        (given.slow, lambda _, line: slow(line, stop, takes=given.slow_takes)),
        (given.websockets, lambda _, line: websocket(line, stop)),
    )
    await asyncio.gather(*(act(index, Line(given.url, tally)) for count, act in kinds for index in range(count)))
    return tally


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description="Counts lost requests; never retries.")
    parser.add_argument("url")
    for name, usual in (("get", 4), ("post", 4), ("slow", 0), ("websockets", 0)):
        parser.add_argument(f"--{name}", type=int, default=usual, help="connections")
    parser.add_argument("--slow-takes", type=float, default=10.0, help="seconds of a slow answer")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two requests of a connection")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--out", type=Path, required=True, help="a file for the report")
    given = parser.parse_args()
    tally = asyncio.run(run(given))
    given.out.write_text(json.dumps(vars(tally)))


if __name__ == "__main__":
    main()
