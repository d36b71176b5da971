"""The same requests while others move them: a Caddy whose configuration is patched, an nginx that is reloaded, a container replaced.

Each peer moves all requests from one of two running instances to the other, or, podman, ends the one and starts the next. The
instances are the very application of the rehearsal; each peer is what somebody would type.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vitrify.onhost.podman import limits_here
from vitrify.project.binaries import find_caddy
from vitrify.testing.podman_storage import podman_storage
from vitrify.testing.python_root import python_root
from vitrify.testing.this_machine import free_port

HERE = Path(__file__).resolve().parent
Move = Callable[[int], None]
"""Moves all requests to the instance of this number, and returns when the peer says that it is done."""

_NGINX = """\
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 2;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream app {{ server 127.0.0.1:{backend}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


def answers(port: int) -> bool:
    """Whether a request is answered there."""
    with suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    return False


def until_answered(port: int) -> None:
    """Until a request is answered there."""
    until = time.monotonic() + 60
    while not answers(port):
        if time.monotonic() > until:
            raise TimeoutError(f"nothing answers on {port}")
        time.sleep(0.01)


@contextmanager
def started(command: list[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs for as long."""
    process = subprocess.Popen(
        command, env={"PATH": os.environ["PATH"], **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def two_instances(folder: Path, counts: Path) -> Iterator[list[int]]:
    """The application twice; gives their ports."""
    ports = [free_port(), free_port()]
    for name in ("blue", "green"):
        (folder / name).mkdir()
        (folder / name / "release").write_text(name)
    words = ["/usr/bin/python3", "-I", str(HERE / "application.py")]
    with (
        started([*words, str(folder / "blue"), str(counts)], PORT=str(ports[0])),
        started([*words, str(folder / "green"), str(counts)], PORT=str(ports[1])),
    ):
        for port in ports:
            until_answered(port)
        yield ports


@contextmanager
def caddy(folder: Path, counts: Path, port: int) -> Iterator[Move]:
    """Caddy with one upstream, which a PATCH of its configuration replaces."""
    admin = free_port()
    with two_instances(folder, counts) as ports:
        dial = [{"dial": f"127.0.0.1:{backend}"} for backend in ports]
        handle = [{"@id": "app", "handler": "reverse_proxy", "upstreams": [dial[0]]}]
        server = {"listen": [f"127.0.0.1:{port}"], "routes": [{"handle": handle}], "automatic_https": {"disable": True}}
        config = {"admin": {"listen": f"127.0.0.1:{admin}"}, "apps": {"http": {"grace_period": "5s", "servers": {"edge": server}}}}
        (folder / "caddy.json").write_text(json.dumps(config))

        def move(to: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=30)
            headers = {"Content-Type": "application/json"}
            connection.request("PATCH", "/id/app/upstreams", body=json.dumps([dial[to]]), headers=headers)
            if connection.getresponse().status != 200:
                raise AssertionError("Caddy refused the configuration")
            connection.close()

        with started([find_caddy(), "run", "--config", str(folder / "caddy.json")], HOME=str(folder)):
            until_answered(port)
            yield move


@contextmanager
def nginx(folder: Path, counts: Path, port: int) -> Iterator[Move]:
    """Nginx with one upstream; its configuration is written anew and it is told to reload."""
    with two_instances(folder, counts) as ports:
        config = folder / "nginx.conf"

        def write(to: int) -> None:
            config.write_text(_NGINX.format(folder=folder, port=port, backend=ports[to]))

        write(0)
        with started([str(shutil.which("nginx")), "-c", str(config), "-e", str(folder / "error.log"), "-g", "daemon off;"]) as process:
            until_answered(port)

            def move(to: int) -> None:
                write(to)
                process.send_signal(signal.SIGHUP)

            yield move


@contextmanager
def podman(folder: Path, counts: Path, port: int) -> Iterator[Move]:
    """One container on the port itself: the next one is started when the last one has ended."""
    root = python_root(folder / "root")
    (root / "srv").mkdir()
    shutil.copy(HERE / "application.py", root / "srv")
    for name in ("blue", "green"):
        (root / "srv" / name).mkdir()
        (root / "srv" / name / "release").write_text(name)
    (root / "counts").mkdir()
    with podman_storage() as storage:

        def start(to: int) -> None:
            name = ("blue", "green")[to]
            words = ("run", "--detach", "--rm", "--network=host", "--env", f"PORT={port}", "--volume", f"{counts}:/counts", *limits_here())
            run = ("--name", name, "--rootfs", f"{root}:O")
            storage.podman.run(*words, *run, "/usr/bin/python3", "-I", "/srv/application.py", f"/srv/{name}", "/counts")

        def move(to: int) -> None:
            storage.podman.run("stop", "--time", "10", ("blue", "green")[1 - to])
            start(to)

        start(0)
        until_answered(port)
        yield move


PEERS = {"Caddy, configuration patched": caddy, "nginx, reloaded": nginx, "podman, stop and start": podman}
NEEDS = {"nginx, reloaded": "nginx", "podman, stop and start": "podman"}


@contextmanager
def place() -> Iterator[tuple[Path, Path, int]]:
    """A folder, a folder for the counts within, and a port that nothing listens on."""
    with tempfile.TemporaryDirectory(prefix="vitrify-peer-") as folder:
        counts = Path(folder) / "counts"
        counts.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        yield Path(folder), counts, port
