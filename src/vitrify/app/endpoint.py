"""Answers `GET /metrics` and `GET /health` on an address that only this machine reaches, or on a socket that only its owner does."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from vitrify.core.diagnostic import UsageInvalid

UNIX = "unix:"
_HINT = "a loopback address and a port, as in 127.0.0.1:9464, or unix:/path/of/a/socket"
_LARGEST = 8192
"""Bytes of a request's head."""
_PATIENCE = 5.0
"""Seconds for a request to come and for its answer to be taken."""


@dataclass(frozen=True)
class Answer:
    """What is said: a body of a type."""

    status: HTTPStatus
    type: str
    body: str


Pages = Mapping[str, Callable[[], Answer]]
"""Path -> what answers there."""


@asynccontextmanager
async def answering(listen: str, pages: Pages) -> AsyncIterator[str]:
    """Answer while this lasts; gives the address, with the port that was chosen where 0 was asked for."""
    bound = _unix(listen.removeprefix(UNIX)) if listen.startswith(UNIX) else _loopback(listen)

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _served(reader, writer, pages)

    server = await asyncio.start_server(one, sock=bound, limit=_LARGEST)
    try:
        yield listen if listen.startswith(UNIX) else _spelt(bound)
    finally:
        server.close()
        _left(listen)


def _left(listen: str) -> None:
    if listen.startswith(UNIX):
        with contextlib.suppress(OSError):
            Path(listen.removeprefix(UNIX)).unlink()


def _loopback(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    try:
        address = ipaddress.ip_address({"localhost": "127.0.0.1"}.get(host, host.strip("[]")))
        number = int(port)
    except ValueError:
        raise UsageInvalid(f"{listen!r} is nothing to listen on", hint=_HINT) from None
    if not address.is_loopback:
        raise UsageInvalid(f"{listen} can be reached from other machines", why="what is told there is nobody else's business", hint=_HINT)
    bound = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((str(address), number))
    except (OSError, OverflowError) as error:
        bound.close()
        raise UsageInvalid(f"nobody can listen on {listen}", why=getattr(error, "strerror", "") or str(error), hint=_HINT) from None
    return bound


def _spelt(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _unix(path: str) -> socket.socket:
    """Bound with mode 0600 from its first moment on; a socket that a killed process left is replaced."""
    place = Path(path)
    bound = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        if place.exists() and stat.S_ISSOCK(place.lstat().st_mode) and not _answers(path):
            place.unlink()
        with _short(place) as reachable:
            bound.bind(reachable)
    except OSError as error:
        bound.close()
        raise UsageInvalid(f"nobody can listen on {UNIX}{path}", why=str(error.strerror or error), hint=_HINT) from None
    finally:
        os.umask(before)
    return bound


def _answers(path: str) -> bool:
    with _short(Path(path)) as reachable, socket.socket(socket.AF_UNIX) as asked:
        return asked.connect_ex(reachable) == 0


@contextmanager
def _short(place: Path) -> Iterator[str]:
    """A path of a socket by way of its folder's descriptor, where Linux is: its own may be longer than the 108 bytes of an address."""
    flags = getattr(os, "O_PATH", None)
    if flags is None:
        yield str(place)
        return
    folder = os.open(place.parent, flags | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{place.name}"
    finally:
        os.close(folder)


async def _served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pages: Pages) -> None:
    """One request, one answer: whoever scrapes comes again by another connection."""
    # A client that is slow, rude or gone is no reason to fall over.
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        async with asyncio.timeout(_PATIENCE):
            head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode("latin-1").split(" ")
            answer = _answer(head, pages)
            body = answer.body.encode()
            lines = (
                f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
                f"Content-Type: {answer.type}",
                f"Content-Length: {len(body)}",
                "Cache-Control: no-store",
                "Connection: close",
            )
            writer.write("\r\n".join((*lines, "", "")).encode() + (b"" if head[0] == "HEAD" else body))
            await writer.drain()
    writer.close()


def _answer(head: list[str], pages: Pages) -> Answer:
    if len(head) != 3:
        return _plain(HTTPStatus.BAD_REQUEST)
    method, target, _ = head
    page = pages.get(target.partition("?")[0])
    if page is None:
        return _plain(HTTPStatus.NOT_FOUND)
    return page() if method in ("GET", "HEAD") else _plain(HTTPStatus.METHOD_NOT_ALLOWED)


def _plain(status: HTTPStatus) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", f"{status.phrase}\n")
