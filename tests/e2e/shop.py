"""A small project for end-to-end tests: one server, a web application of the standard library, the real command line."""

from __future__ import annotations

import http.client
import io
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import commandline
from vitrify.cli.exits import Exit
from vitrify.cli.facade import open_app
from vitrify.cli.invocation import Surroundings
from vitrify.cli.main import run
from vitrify.cli.render import Streams
from vitrify.testing.this_machine import free_port

Document = dict[str, Any]

APPLICATION = """
import http.server, os, pathlib
KEPT = pathlib.Path("/srv/kept")
GREETING = pathlib.Path("/srv/app/greeting.txt").read_text().strip()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.command == "POST" and KEPT.is_dir():
            with (KEPT / "posts").open("ab", 0) as posts:
                posts.write(b".")
        Handler.asked += 1
        healthy = GREETING != "ill" and not (GREETING.startswith("falls-ill") and Handler.asked > 3)
        body = GREETING.encode()
        self.send_response(200 if healthy else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = answer
http.server.ThreadingHTTPServer((os.environ.get("ADDRESS", "127.0.0.1"), int(os.environ["PORT"])), Handler).serve_forever()
"""

DECLARATION = """
version: 1
project: shop
vars: {{greeting: "{greeting}"}}
routers:
  edge: {{kind: caddy, listen: "127.0.0.1:{port}", tls: "off"}}
servers:
  web:
    lifecycle: {lifecycle}
    hosts: {hosts}
    base: {base}
    replicas: {replicas}
    resources:
      - directory: /srv
      - directory: /srv/app
      - file: {{path: /srv/app/serve.py, source: ./serve.py}}
      - file: {{path: /srv/app/greeting.txt, content: "${{var.greeting}}\\n"}}
      - process: {{name: web, command: [/usr/bin/python3, -I, /srv/app/serve.py], workdir: /srv/app, port: 8000}}
    health: {{{health}, passes: 1, interval: 50ms, grace: {grace}}}
    route: {{router: edge}}
    rollout: {{drain: 2s, probation: {probation}, keep_warm: {keep_warm}{migration}{rollout}}}
{more}"""


@dataclass
class Shop:
    """The project in a folder, with a home of its own."""

    folder: Path
    port: int
    lifecycle: str = "immutable"
    greeting: str = "one"
    replicas: int = 1
    grace: str = "10s"
    probation: str = "0s"
    hosts: str = '["root:./machine"]'
    health: str = "http: /"
    base: str = "host"
    keep_warm: str = "5m"
    migration: str = ""
    """Other keys of the rollout, each behind a comma."""
    rollout: str = ""
    """Other keys of its rollout, each behind a comma."""
    more: str = ""
    """Other keys of the server, each a line."""
    within: tuple[str, ...] = ()
    """What the command line is run by, as in another mount namespace."""

    @classmethod
    def build(cls, folder: Path, **more: str) -> Shop:
        """A new project; nothing of it runs yet."""
        port = free_port()
        folder.mkdir(parents=True)
        (folder / "machine").mkdir()
        (folder / "serve.py").write_text(APPLICATION)
        shop = cls(folder, port, **more)  # type: ignore[arg-type]
        shop.declare()
        return shop

    @property
    def home(self) -> Path:
        """Where vitrify keeps its state."""
        return self.folder.parent / "home"

    @property
    def run_folder(self) -> Path:
        """Where its instances and routers are."""
        (folder,) = self.home.glob("projects/*/run")
        return folder

    def declare(self, **changed: object) -> None:
        """Write the declaration, with these values changed."""
        for name, value in changed.items():
            setattr(self, name, value)
        (self.folder / "vitrify.yaml").write_text(DECLARATION.format(**vars(self)))

    def run(self, *words: str, expect: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command line, as a person would use it."""
        around = {**os.environ, "VITRIFY_HOME": str(self.home), "VITRIFY_YES": "1", **environment}
        result = self._within(words, around) if self.within else commandline.run(words, cwd=self.folder, environment=around)
        assert expect is None or result.returncode == expect, f"{words}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    def _within(self, words: tuple[str, ...], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        command = [*self.within, sys.executable, "-P", "-m", "vitrify", *words]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=90)

    def document(self, *words: str, expect: int = 0) -> Document:
        """The JSON document that a command prints."""
        document: Document = json.loads(self.run(*words, "-o", "json", expect=expect).stdout)
        return document

    def looked(self, *words: str) -> str:
        """What a command says that changes nothing, run in this very process: its own start would cost more than all that it does."""
        out, err = io.StringIO(), io.StringIO()
        environ = {**os.environ, "VITRIFY_HOME": str(self.home), "VITRIFY_YES": "1"}
        ended = run(["-C", str(self.folder), *words], Surroundings(Streams(io.StringIO(), out, err), environ, time.time, open_app))
        assert ended is Exit.DONE, f"{words}: {ended}\n{out.getvalue()}\n{err.getvalue()}"
        return out.getvalue()

    def get(self, path: str = "/", *, port: int = 0) -> tuple[int, str]:
        """Status and body of a request through the router, or through what listens on another port."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def running(self) -> list[str]:
        """Ids of the instances whose processes are alive, as the kernel says, not as vitrify remembers."""
        return self.running_in(self.home)

    def running_in(self, home: Path) -> list[str]:
        """The same, where its home is to be found at another path."""
        found = []
        for state in home.glob("projects/*/run/instances/*/state.json"):
            data = json.loads(state.read_text())
            pid = (data.get("child") or {}).get("pid")
            if pid and data.get("status") == "running" and Path(f"/proc/{pid}").exists():
                found.append(state.parent.name)
        return sorted(found)

    def on_disk(self) -> list[str]:
        """Ids of the instances that have a folder, whether they run or not."""
        return sorted(path.parent.name for path in self.run_folder.glob("instances/*/spec.json"))

    def break_into(self, instance: str, *, name: str = "backdoor") -> None:
        """Write a file into the sealed root of an instance, past its sandbox."""
        layers = json.loads((self.run_folder / "instances" / instance / "spec.json").read_text())["layers"]
        (Path(layers[0]["upper"]) / name).write_text("intruder")

    def clear(self) -> None:
        """End everything that runs."""
        self.run("retire", "web", "--only", "instances", expect=None)
