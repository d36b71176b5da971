"""Seconds from a changed file to the first answer of its release: `vitrify apply` bakes, sends, launches, gates and switches.

    ./run vitrify version
    .venv/bin/python benchmarks/images/live.py [--rounds 9] [--only local|ssh]

A web server of Python's standard library with 200 files beside it, upon a packed base of 60 MB; bubblewrap runs it, behind Caddy. One
file changes in each round. A client asks every 2 ms; what counts is when it gets the first answer of the new release, from the start of
the command. On this machine, and on a machine with systemd and sshd that is begun on this one (needs root, and the Debian packages of
`requirements/debian.txt`). Both are retired in the end.
"""

from __future__ import annotations

import argparse
import compileall
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vitrify.testing.python_root import python_root

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from fleet import Fleet  # noqa: E402  found by the line above

FILES = 200
SERVER = """\
import http.server, os
GREETING = open("/srv/app/greeting", "rb").read()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(GREETING)))
        self.end_headers()
        self.wfile.write(GREETING)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer((os.environ.get("ADDRESS", "127.0.0.1"), int(os.environ["PORT"])), Handler).serve_forever()
"""
DECLARATION = """\
version: 1
project: benchmark
{ssh}routers:
  edge: {{kind: caddy, listen: "127.0.0.1:{port}", tls: "off"}}
servers:
  web:
    lifecycle: immutable
    hosts: ["{host}"]
    base: rootfs:{base}
    resources:
      - directory: /srv
      - tree: {{from: app, to: /srv/app}}
      - process: {{name: web, command: [/usr/bin/python3, -I, /srv/app/server.py], workdir: /srv/app, port: 8000}}
    health: {{http: /, passes: 2, interval: 50ms, grace: 20s}}
    route: {{router: edge}}
    rollout: {{drain: 1s, probation: 0s, keep_warm: 1m, retain: 2}}
"""


@dataclass(frozen=True)
class Bench:
    """One project on one host."""

    folder: Path
    port: int

    @property
    def command(self) -> list[str]:
        """The command line."""
        return [sys.executable, "-P", "-m", "vitrify", "--quiet"]

    def vitrify(self, *words: str) -> float:
        """Run it; how long the whole process took."""
        around = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "VITRIFY_HOME": str(self.folder / "home"), "VITRIFY_YES": "1"}
        begun = time.perf_counter()
        done = subprocess.run([*self.command, *words], cwd=self.folder, env=around, capture_output=True, text=True, check=False)
        taken = time.perf_counter() - begun
        if done.returncode:
            sys.exit(f"vitrify {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return taken

    def release(self, greeting: str) -> tuple[float, float]:
        """Change the file and apply; seconds to the first answer of the new release, and of the whole command."""
        (self.folder / "app/greeting").write_text(greeting)
        seen: list[float] = []
        begun, over = time.perf_counter(), threading.Event()
        watching = threading.Thread(target=self._watch, args=(greeting.encode(), begun, seen, over), daemon=True)
        watching.start()
        whole = self.vitrify("apply")
        watching.join(timeout=20)
        over.set()
        return seen[0], whole

    def _watch(self, wanted: bytes, begun: float, seen: list[float], over: threading.Event) -> None:
        while not over.is_set():
            with suppress(OSError, http.client.HTTPException):
                asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                asked.request("GET", "/")
                if asked.getresponse().read() == wanted:
                    seen.append(time.perf_counter() - begun)
                    return
            time.sleep(0.002)


def free() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def project(folder: Path, *, host: str, base: Path) -> Bench:
    """The content, and a declaration of it."""
    bench = Bench(folder, free())
    (folder / "app/static").mkdir(parents=True)
    for number in range(FILES):
        (folder / f"app/static/file{number}").write_bytes(os.urandom(2_000))
    (folder / "app/server.py").write_text(SERVER)
    (folder / "app/greeting").write_text("first")
    ssh = f"ssh: {{config: {base.parent}/fleet/ssh_config}}\n" if host.startswith("ssh:") else ""
    (folder / "vitrify.yaml").write_text(DECLARATION.format(port=bench.port, host=host, base=base, ssh=ssh))
    return bench


def measured(name: str, bench: Bench, rounds: int) -> None:
    """Release again and again, and tell."""
    try:
        first, _ = bench.release("first")
        found = [bench.release(f"number {number}") for number in range(rounds)]
    finally:
        with suppress(SystemExit):
            bench.vitrify("retire", "web")
    live, whole = (sorted(times) for times in zip(*found, strict=True))
    spread = f"({live[0]:.2f} to {live[-1]:.2f})"
    said = f"{name:6} first release {first:5.2f} s; a changed file is live after {statistics.median(live):.2f} s {spread}"
    sys.stdout.write(f"{said}, the whole command {statistics.median(whole):.2f} s; load {os.getloadavg()[0]:.1f}\n")


def main(arguments: list[str]) -> int:
    """Measure both, and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=("local", "ssh"))
    chosen = parser.parse_args(arguments)
    compileall.compile_dir(ROOT / "src", quiet=1)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        place = Path(folder)
        place.chmod(0o755)
        base = python_root(place / "base")
        if chosen.only != "ssh":
            measured("local", project(place / "local", host="local", base=base), chosen.rounds)
        if chosen.only != "local":
            fleet = Fleet.begin(place / "fleet")
            try:
                measured("ssh", project(place / "remote", host=fleet.boot().url(), base=base), chosen.rounds)
            finally:
                fleet.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
