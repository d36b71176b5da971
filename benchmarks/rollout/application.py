"""The application that is released: answers over keep-alive connections, slowly where asked to, echoes WebSockets, and counts by itself.

    application.py FOLDER COUNTS        on the port in $PORT; FOLDER/release says which release this is

A byte for each answer goes to COUNTS/KIND, whichever instance gave it: what clients say they were answered is held against that. The
health path is not counted. A release whose name begins with `ill` is never healthy.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import signal
import sys
from pathlib import Path
from typing import cast

FOLDER, COUNTS = Path(sys.argv[1]), Path(sys.argv[2])
RELEASE = (FOLDER / "release").read_text().strip()
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
FILES = {kind: os.open(COUNTS / kind, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) for kind in ("get", "post", "slow", "frames")}


class Connection(asyncio.Protocol):
    """One client's connection; requests come one behind the other."""

    def __init__(self) -> None:
        self._data, self._frames, self._last = b"", False, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Take what has come, and answer what is whole."""
        self._data += data
        while self._frame() if self._frames else self._request():
            pass

    def _request(self) -> bool:
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if not end:
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return False
        self._data = rest[length:]
        self._last = headers.get("connection", "").lower() == "close"
        self._act(first.split(), headers, rest[:length])
        return True

    def _act(self, first: list[str], headers: dict[str, str], body: bytes) -> None:
        method, path = first[0], first[1]
        if headers.get("upgrade", "").lower() == "websocket":
            self._upgrade(headers["sec-websocket-key"])
        elif path == "/healthz":
            self._answer(b"well", "", status="500 Ill" if RELEASE.startswith("ill") else "200 OK")
        elif path.startswith("/slow/"):
            asyncio.get_running_loop().call_later(float(path[6:]), self._answer, b"slow", "slow")
        else:
            self._answer(body or RELEASE.encode(), method.lower())

    def _answer(self, body: bytes, kind: str, *, status: str = "200 OK") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nX-Release: {RELEASE}\r\n\r\n"
        self._send(head.encode() + body, kind)
        if self._last:
            self._transport.close()  # once all is written

    def _send(self, data: bytes, kind: str) -> None:
        if kind:
            os.write(FILES[kind], b".")
        self._transport.write(data)

    def _upgrade(self, key: str) -> None:
        accept = base64.b64encode(hashlib.sha1(key.encode() + MAGIC, usedforsecurity=False).digest()).decode()
        head = f"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        self._frames = True
        self._send(head.encode(), "")

    def _frame(self) -> bool:
        """Echo one short masked frame."""
        if len(self._data) < 6 or len(self._data) < 6 + (self._data[1] & 127):
            return False
        size, mask = self._data[1] & 127, self._data[2:6]
        body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self._data[6 : 6 + size]))
        code, self._data = self._data[0], self._data[6 + size :]
        self._send(bytes([code, size]) + body, "frames")
        return True


async def main() -> None:
    """Serve until ended."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, os._exit, 0)  # as the first process of a container it would not hear of it
    server = await loop.create_server(Connection, "127.0.0.1", int(os.environ["PORT"]), backlog=1024)
    await server.serve_forever()


asyncio.run(main())
