"""How long a switch takes on the host: from its intent to the moment from which new requests go elsewhere, for each kind of router.

    python benchmarks/routing.py [N]

To sets that were led to before (a rollback, the next step of a canary that was taken back), and to new ones, which are written down
first. Six keep-alive clients send POSTs all the while and never repeat one.
"""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from vitrify.core.declaration import Route, Router
from vitrify.onhost.console import Console
from vitrify.ports import Backends, Beside
from vitrify.project.binaries import find_bubblewrap, find_caddy
from vitrify.project.tools import caddy_here, haproxy_here
from vitrify.routers.on_host import OnHostRouter
from vitrify.testing.this_machine import ThisMachine, free_port


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers a POST with its body."""

    protocol_version, wbufsize, disable_nagle_algorithm = "HTTP/1.1", -1, True

    def do_POST(self) -> None:
        """Echo."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Say nothing."""


def a_backend() -> str:
    """The address of an echo."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_address[1]}"


async def seconds(router: OnHostRouter, to: Backends, beside: Beside | None = None) -> float:
    """Of one switch."""
    times = await router.switch("web", to=to, beside=beside)
    return float(str(times["switched_at"])) - float(str(times["intended_at"]))


def floor(folder: Path) -> float:
    """Seconds of what can be no shorter for this kind: one rename, or one word over the socket."""
    if not (folder / "admin.sock").exists() or (folder / "config.json").exists():
        began = time.perf_counter()
        (folder / ".floor").symlink_to("nowhere")
        (folder / ".floor").rename(folder / "floor")
        return time.perf_counter() - began
    began = time.perf_counter()
    Console(str(folder)).tell("set map holds.map web 0")
    return time.perf_counter() - began


async def measure(machine: ThisMachine, kind: str, count: int) -> None:
    """Print what the switches of one kind take."""
    blue, green = (Backends(name, (a_backend(),)) for name in ("blue", "green"))
    router = OnHostRouter(machine.session, machine.home, {"caddy": caddy_here, "haproxy": haproxy_here})
    route = Route(Router(kind, kind, f"127.0.0.1:{free_port()}"))
    await router.ensure(route, server="web")
    for to in (blue, green):
        await router.switch("web", to=to)
    command = [sys.executable, "-m", "vitrify.testing.load", f"http://{route.router.listen}/", "--echo", "--connections", "6"]
    load = subprocess.Popen(  # noqa: ASYNC220  it runs beside us
        [*command, "--seconds", "600"], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ":".join(sys.path)}
    )
    known, new, least = [], [], []
    for number in range(count):
        known.append(await seconds(router, (blue, green)[number % 2]))
        new.append(await seconds(router, Backends(f"new-{number}", blue.addresses), Beside(green, 5 + 5 * (number % 19))))
        least.append(floor(Path(machine.home, "routers", kind)))
        await asyncio.sleep(0.02)
    load.terminate()
    report = json.loads(load.communicate(timeout=30)[0])
    print(
        f"{kind}: {report['requests']} requests, {report['lost']} lost, {report['connections']} connections, load {os.getloadavg()[0]:.1f}"
    )
    told("  to compare: one rename, or one word over the socket", least)
    told("  to a set that it knows", known)
    told("  to a new set", new)
    await router.release(route, server="web")


def told(what: str, times: Sequence[float]) -> None:
    """One line."""
    ordered = sorted(1000 * one for one in times)
    print(f"{what}: p50 {statistics.median(ordered):.2f} ms, p95 {ordered[int(len(ordered) * 0.95)]:.2f} ms, max {ordered[-1]:.1f} ms")


def main() -> None:
    """Each kind in turn."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as folder:
        machine = ThisMachine(Path(folder), find_bubblewrap, find_caddy)
        try:
            for kind in ("caddy", "haproxy"):
                asyncio.run(measure(machine, kind, count))
                time.sleep(0.5)
        finally:
            machine.end()


if __name__ == "__main__":
    main()
