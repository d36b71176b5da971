"""A witness over HTTP: how a ledger reaches one, and how one is served."""

from __future__ import annotations

from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from vitrify.core.diagnostic import TargetUnreachable, UsageInvalid
from vitrify.ledger.cosignature import WitnessKey
from vitrify.ledger.witness import LARGEST, Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from vitrify.ledger.witness import Witness

_PATIENCE = 10.0
"""Seconds for one request: the end of a command waits for it."""


@dataclass(frozen=True)
class HttpWitness:
    """A witness by its public key (text form) and its submission prefix."""

    text: str
    url: str

    @property
    def key(self) -> WitnessKey:
        """Whose cosignatures it gives."""
        return WitnessKey.parse(self.text)

    def add_checkpoint(self, request: bytes) -> Answer:
        """Its answer; TargetUnreachable where there is none within ten seconds."""
        import httpx2

        try:
            with httpx2.Client(timeout=_PATIENCE, follow_redirects=False) as client:
                said = client.post(f"{self.url.rstrip('/')}/add-checkpoint", content=request)
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise TargetUnreachable(f"the witness at {self.url} cannot be reached: {type(error).__name__}") from None
        return Answer(said.status_code, said.content[:LARGEST], said.headers.get("content-type", ""))


def serve(witness: Witness, *, listen: str, told: Callable[[str], None]) -> None:
    """Answer for this witness at `ADDRESS:PORT` (port 0: any) until interrupted; `told` hears the address once it listens."""
    address, _, port = listen.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageInvalid(f"{listen!r} is nowhere to listen at", hint="an address and a port, as in 127.0.0.1:8484")
    handler = type("Handler", (_Handler,), {"witness": witness})
    try:
        server = ThreadingHTTPServer((address.strip("[]") or "127.0.0.1", int(port)), handler)
    except OSError as error:
        raise UsageInvalid(f"nothing can listen at {listen}", why=error.strerror or str(error)) from None
    with server:
        told(f"http://{server.server_address[0]!s}:{server.server_address[1]}")
        server.serve_forever()


class _Handler(BaseHTTPRequestHandler):
    witness: Witness
    protocol_version = "HTTP/1.1"
    timeout = 30.0

    def do_POST(self) -> None:
        """Only `/add-checkpoint` takes anything."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            self.close_connection = True
            self._answer(Answer(411 if not length.isdecimal() else 413, b"say how long the request is, at most 65536 bytes\n"))
            return
        sent = self.rfile.read(int(length))
        known = self.path == "/add-checkpoint"
        self._answer(self.witness.add_checkpoint(sent) if known else Answer(404, b"POST /add-checkpoint\n"))

    def do_GET(self) -> None:
        """`/HASH/checkpoint` is the newest checkpoint that was cosigned of the ledger whose origin hashes so."""
        parts = self.path.strip("/").split("/")
        known = len(parts) == 2 and parts[1] == "checkpoint"
        self._answer(self.witness.latest(parts[0]) if known else Answer(404, b"GET /HASH/checkpoint\n"))

    def _answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that the standard library gives it
        """Whoever runs the witness sees what it keeps; requests are nobody's business."""
