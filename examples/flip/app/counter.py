"""A web server that counts its visitors, in memory and in the one folder that it may write to."""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

VISITS = Path("/var/lib/counter/visits")


class Counter(BaseHTTPRequestHandler):
    """Answers everybody with their number."""

    protocol_version = "HTTP/1.1"
    numbers = count(1)

    def do_GET(self) -> None:
        """Count whoever comes; a health check is nobody."""
        text = "well\n"
        if self.path != "/healthz":
            text = f"visitor {next(self.numbers)}\n"
            VISITS.write_text(text, encoding="utf-8")
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Counter).serve_forever()
