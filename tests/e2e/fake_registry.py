"""A registry that does what no real one should, so that we see what then becomes of us. Honest but for what a test asks for."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from vitrify.core.digest import digest_bytes

_BLOB = re.compile(r"/v2/(.+)/blobs/(sha256:[0-9a-f]{64})")
_MANIFEST = re.compile(r"/v2/(.+)/manifests/(.+)")
_UPLOADS = re.compile(r"/v2/(.+)/blobs/uploads/(.*)")

Answer = Callable[["Handler"], bool]
"""Answers a request in its own way; False where it is to be answered honestly."""


@dataclass
class Shelves:
    """What the registry holds, how it misbehaves, and what it was asked."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    rules: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and who asked, as the header says."""
    ranges: list[str] = field(default_factory=list)
    """The parts of blobs that were asked for."""
    address: str = ""
    scheme: str = "http"
    released: threading.Event = field(default_factory=threading.Event)
    """Set at the end, for answers that are kept waiting."""

    def paths(self, method: str) -> list[str]:
        """What was asked for so."""
        return [path for how, path, _ in self.asked if how == method]


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    shelves: Shelves

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle_any(self) -> None:
        """Answer by the first rule that wants to, else honestly."""
        self.shelves.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
        self.shelves.ranges += [self.headers["Range"]] if "Range" in self.headers else []
        self.sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not any(rule(self) for rule in tuple(self.shelves.rules)):
            self._honest()

    do_GET = handle_any  # noqa: N815  the standard library's name
    do_HEAD = handle_any  # noqa: N815  the standard library's name
    do_PUT = handle_any  # noqa: N815  the standard library's name
    do_POST = handle_any  # noqa: N815  the standard library's name
    do_PATCH = handle_any  # noqa: N815  the standard library's name
    do_DELETE = handle_any  # noqa: N815  the standard library's name

    @property
    def blob_asked_for(self) -> bytes:
        """What an honest registry would give."""
        return self.shelves.blobs[self.path.rpartition("/")[2]]

    def answer(self, status: int, body: bytes = b"", **headers: str) -> bool:
        """A whole answer; always True, so that a rule can end with it."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **{key.replace("_", "-"): value for key, value in headers.items()}}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return True

    def begin(self, status: int = 200, **headers: str) -> None:
        """The head of an answer whose body a rule writes itself."""
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()

    def drop(self) -> bool:
        """Break the connection."""
        self.close_connection = True
        self.connection.close()
        return True

    def _honest(self) -> None:
        path = urllib.parse.urlsplit(self.path)
        if found := _UPLOADS.fullmatch(path.path):
            self._upload(found[2], urllib.parse.parse_qs(path.query))
        elif found := _BLOB.fullmatch(path.path):
            self._blob(found[2])
        elif found := _MANIFEST.fullmatch(path.path):
            self._manifest(found[2])
        else:
            self.answer(404)

    def _blob(self, digest: str) -> None:
        content = self.shelves.blobs.get(digest)
        begin = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if content is None:
            self.answer(404)
        elif begin:
            at = int(begin[1])
            self.answer(206, content[at:], Content_Range=f"bytes {at}-{len(content) - 1}/{len(content)}")
        else:
            self.answer(200, content)

    def _manifest(self, name: str) -> None:
        if self.command == "PUT":
            for key in (name, digest_bytes(self.sent)):
                self.shelves.manifests[key] = (self.headers["Content-Type"], self.sent)
            self.answer(201)
        elif name in self.shelves.manifests:
            kind, content = self.shelves.manifests[name]
            self.answer(200, content, Content_Type=kind)
        else:
            self.answer(404)

    def _upload(self, name: str, query: dict[str, list[str]]) -> None:
        held = self.shelves.uploads
        if self.command == "POST":
            name = f"u{len(held)}"
            held[name] = b""
            self.answer(202, Location=f"{self.path.partition('?')[0]}{name}")
        elif name not in held:
            self.answer(404)
        elif self.command == "PUT":
            whole, digest = held.pop(name) + self.sent, query["digest"][0]
            right = digest_bytes(whole) == digest
            self.shelves.blobs.update({digest: whole} if right else {})
            self.answer(201 if right else 400, json.dumps({"errors": [{"code": "DIGEST_INVALID"}]}).encode() if not right else b"")
        else:
            held[name] += self.sent
            self.answer(204 if self.command == "GET" else 202, Location=self.path, Range=f"0-{max(len(held[name]) - 1, 0)}")


@contextmanager
def lying_registry(*, tls: ssl.SSLContext | None = None) -> Iterator[Shelves]:
    """Such a registry on this machine's loopback, with encryption or without; it ends with this block."""
    shelves = Shelves(scheme="https" if tls else "http")
    handler = type("Bound", (Handler,), {"shelves": shelves})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    shelves.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield shelves
    finally:
        shelves.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def only(pattern: str, answer: Answer, *, method: str = "", times: int = 10**6) -> Answer:
    """A rule for requests whose path matches, so many times."""
    left = [times]

    def rule(handler: Handler) -> bool:
        if left[0] and method in ("", handler.command) and re.search(pattern, handler.path):
            left[0] -= 1
            return answer(handler)
        return False

    return rule


def slowly(content: bytes, *, seconds: float) -> Answer:
    """One byte at a time, with a pause behind each."""

    def answer(handler: Handler) -> bool:
        handler.begin(Content_Length=str(len(content)))
        for byte in content:
            if handler.shelves.released.wait(seconds):
                break
            handler.wfile.write(bytes([byte]))
        return handler.drop()

    return answer


def endlessly(handler: Handler) -> bool:
    """Bytes, as long as somebody takes them."""
    handler.begin(Transfer_Encoding="chunked")
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            handler.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        except OSError:
            break
    return handler.drop()


def never(handler: Handler) -> bool:
    """Take the request, and say nothing."""
    handler.shelves.released.wait(20)
    return handler.drop()
