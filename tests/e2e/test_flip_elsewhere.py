"""One machine with systemd, one declaration, both lives: flipped over SSH and flipped back, with its state and without losing a request."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fleet import Control, Fleet, Reached, lacking_ssh
from live_host import lacking
from vitrify.testing.load import Load
from vitrify.testing.load import run as keep_asking
from vitrify.testing.python_root import python_root
from vitrify.testing.this_machine import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

APPLICATION = """\
import http.server, os
class Counter(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        visits = os.open("/var/lib/shop/visits", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(visits, b"." if self.path == "/visit" else b"")
        body = f"visitor {os.fstat(visits).st_size}".encode()
        os.close(visits)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = answer
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer((os.environ.get("ADDRESS", "127.0.0.1"), int(os.environ["PORT"])), Counter).serve_forever()
"""

DECLARED = """\
version: 1
project: shop
ssh: {{config: {config}}}

routers:
  edge: {{kind: caddy, listen: "{address}:8080"}}

servers:
  web:
    lifecycle: mutable
    hosts: ["{host}"]
    base: rootfs:./root
    resources:
      - file: {{path: /etc/motd, content: "kept by vitrify\\n", mode: "0644"}}
      - directory: {{path: /var/lib/shop, on_leave: keep}}
      - tree: {{from: ./app, to: /srv/shop}}
      - process: {{name: shop, command: [/usr/bin/python3, -I, /srv/shop/app.py], workdir: /srv/shop, port: {port}}}
    volumes: {{/var/lib/shop: /var/lib/shop}}
    health: {{http: /, passes: 1, interval: 50ms}}
    route: {{router: edge}}
    rollout: {{drain: 1s, probation: 0s, keep_warm: 10m, retain: 5}}
"""
"""The README's own, with what another machine asks for: its address, a base that is packed, and a folder of state."""


@dataclass
class Stage:
    """A machine, and a project whose server lives on it in one way or the other."""

    machine: Reached
    control: Control
    port: int
    lost: list[object] = field(default_factory=list)

    @property
    def in_place(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def routed(self) -> str:
        return f"http://{self.machine.address}:8080"

    def flip(self, *, to: str) -> str:
        """Change the one word; what the plan says of it, in one line."""
        path = self.control.folder / "vitrify.yaml"
        other = {"mutable": "immutable", "immutable": "mutable"}[to]
        path.write_text(path.read_text().replace(f"lifecycle: {other}", f"lifecycle: {to}"))
        (server,) = self.control.document("plan")["servers"]
        return "\n".join(server["notices"])

    @contextmanager
    def asked(self, url: str) -> Iterator[None]:
        """Requests without end, none of them repeated, while the block runs."""
        stop = threading.Event()
        load = Load(f"{url}/", seconds=60, expect="visitor", pause=0.01)
        asking = threading.Thread(target=lambda: self.lost.append(keep_asking(load, stop)["lost"]))
        asking.start()
        try:
            yield
        finally:
            stop.set()
            asking.join()

    def clean(self) -> bool:
        """Whether an audit finds nothing."""
        return "No drift" in self.control.run("audit", "--detailed-exitcode").stdout


def visit(url: str) -> str:
    with urllib.request.urlopen(f"{url}/visit", timeout=5) as answer:  # noqa: S310  our own address
        return str(answer.read().decode())


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    if missing := lacking() or lacking_ssh():
        pytest.skip(missing)
    fleet = Fleet.begin(tmp_path / "fleet")
    try:
        machine = fleet.boot()
        project, home = tmp_path / "project", tmp_path / "home"
        (project / "app").mkdir(parents=True)
        home.mkdir()
        root = python_root(project / "root")
        for folder in ("srv", "var/lib"):
            (root / folder).mkdir(parents=True)
        (project / "app/app.py").write_text(APPLICATION)
        port = free_port()
        control = Control(project, home, fleet.runtime)
        control.declare(DECLARED.format(config=fleet.config, address=machine.address, host=machine.url("admin"), port=port))
        yield Stage(machine, control, port)
    finally:
        fleet.close()


def test_one_machine_is_flipped_and_flipped_back_with_its_state_and_without_losing_a_request(stage: Stage) -> None:
    stage.control.run("apply")
    assert visit(stage.in_place) == "visitor 1"
    assert stage.clean(), "what the process keeps in its volume is no drift"

    told = stage.flip(to="immutable")
    assert "flips from mutable to immutable" in told
    assert "carries over into the image: 4 of 4 resources" in told
    assert "keeps its state both ways: /var/lib/shop" in told
    with stage.asked(stage.in_place):
        stage.control.run("apply")
        assert visit(stage.routed) == "visitor 2", "instances go on where the unit is"
        assert visit(stage.in_place) == "visitor 3", "both sides run, and share the state"
    assert stage.clean()

    retire_in_place(stage)
    flip_back(stage)


def retire_in_place(stage: Stage) -> None:
    """What the flip left over is named by the plan, and gone with the command that it names."""
    (left,) = stage.control.document("plan")["servers"][0]["notices"]
    assert "until `vitrify retire web --only in-place`" in left
    stage.control.run("retire", "web", "--only", "in-place")
    assert stage.machine.machine.unit("shop", "LoadState")["LoadState"] == "not-found"
    assert stage.control.document("plan")["servers"][0]["notices"] == []
    assert stage.clean()


def flip_back(stage: Stage) -> None:
    """The other direction, down to the last instance."""
    told = stage.flip(to="mutable")
    assert "`vitrify retire web --only instances`" in told
    assert "keeps its state both ways: the folder /var/lib/shop" in told
    with stage.asked(stage.routed):
        stage.control.run("apply")
        assert visit(stage.in_place) == "visitor 4"
    assert "instances of before the flip still run" in stage.control.run("status").stdout
    assert stage.clean()

    stage.control.run("retire", "web", "--only", "instances")
    assert (visit(stage.in_place), stage.lost) == ("visitor 5", [0, 0])
    assert len(stage.machine.processes("/srv/shop/app.py")) == 1
    assert stage.clean()
    planned = stage.control.document("plan")["servers"][0]
    assert (planned["changes"], planned["notices"]) == ([], [])
