"""Instances and routers on this very machine, for tests that want the real thing: a home, an image, and an end to it all."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vitrify.core.digest import JSONObject
from vitrify.core.resource import Kinds
from vitrify.core.step import Reached, carry_on
from vitrify.onhost import confining, instances, keeping, ports, traffic
from vitrify.onhost.identity import Identity, alive
from vitrify.onhost.launching import limits_of
from vitrify.testing.direct_session import DirectSession
from vitrify.testing.tiny_image import TinyFile, tiny_image

APPLICATION = """
import http.server, os, sys, time
print("ready", flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, wbufsize, disable_nagle_algorithm = "HTTP/1.1", -1, True
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or RELEASE.encode()
        if self.path.startswith("/slow"):
            time.sleep(0.5)
        if self.command == "POST":
            os.write(COUNTER, b".")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Release", RELEASE)
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = answer
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
RELEASE = os.environ.get("RELEASE", "none")
COUNTER = os.open("/srv/count/posts", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
Server((os.environ["ADDRESS"], int(os.environ["PORT"])), Handler).serve_forever()
"""
"""Answers a POST with its body and counts it in `/srv/count/posts`, a GET with its release; `/slow` takes half a second."""


@dataclass
class ThisMachine:
    """Everything lies below `folder`. `bwrap` and `caddy` tell the programs' paths."""

    folder: Path
    bwrap: Callable[[], str]
    caddy: Callable[[], str]
    reached: Reached = carry_on
    image: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.image = self.build({"/srv/app/serve.py": APPLICATION, "/srv/count/.keep": "", "/etc/vitrify-test": "as baked\n"})

    @property
    def home(self) -> str:
        """Where instances and routers are kept."""
        return str(self.folder / "home")

    @property
    def session(self) -> DirectSession:
        """The payload's calls, in this process."""
        return DirectSession({**instances.CALLS, **traffic.CALLS}, time.time, Kinds([]), self.reached)

    def build(self, files: Mapping[str, str], *, base: str = "host") -> str:
        """Another image."""
        return tiny_image(self.folder / "store", {path: TinyFile(content) for path, content in files.items()}, base=base)

    def wish(self, identity: str, *, release: str = "one") -> JSONObject:
        """The spec of an instance of the application."""
        return {
            "id": identity,
            "image": self.image,
            "argv": ["/usr/bin/python3", "-I", "/srv/app/serve.py"],
            "labels": {"server": "web", "release": release},
            "environment": {"RELEASE": release},
            "workdir": "/srv/app",
            "user": "",
            "writable": ["/srv/count"],
            "port": 8000,
        }

    def launching(self, wish: JSONObject) -> JSONObject:
        """The arguments of `instance.launch`."""
        return {"home": self.home, "layout": str(self.folder / "store"), "bwrap": self.bwrap(), "spec": wish}

    def instance(self, identity: str) -> Path:
        """The folder of an instance."""
        return Path(self.home, "instances", identity)

    def state(self, folder: Path) -> keeping.State:
        """What a kept folder is now."""
        return keeping.state(str(folder))

    def kill_application(self, folder: Path) -> None:
        """SIGKILL to the process that a shim keeps."""
        kill(self.state(folder).application)

    def kill_shim(self, folder: Path) -> None:
        """SIGKILL to the shim itself."""
        kill(self.state(folder).shim)

    def posts(self, identity: str) -> int:
        """How many POSTs an instance counted."""
        spec = json.loads((self.instance(identity) / "spec.json").read_text())
        argv = spec["keep"]["argv"]
        return Path(argv[argv.index("/srv/count") - 2], "posts").stat().st_size

    def end(self) -> None:
        """Stop all that was started here."""
        for folder in [*Path(self.home).glob("instances/*"), *Path(self.home).glob("routers/*")]:
            if (folder / "spec.json").is_file():
                keeping.stop(str(folder), grace=1)
                confining.release(folder.name, limits_of(str(folder)))


def kill(process: Identity | None) -> None:
    """SIGKILL to a process that must be running."""
    if process is None or not alive(process):
        raise ProcessLookupError("it does not run")
    os.kill(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A port on the loopback that nobody listens on, that no outgoing connection is given, and that hardly any other caller is told."""
    return ports.free((), seed=os.urandom(8).hex())
