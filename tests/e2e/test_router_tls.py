"""Routers speak TLS: with a certificate that they are given, of an authority of their own, or fetched from one that speaks ACME."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from real_router import Backend

from vitrify.core.declaration import Route, Router
from vitrify.ports import Backends
from vitrify.project.binaries import find_bubblewrap, find_caddy
from vitrify.project.tools import caddy_here, haproxy_here
from vitrify.routers.on_host import OnHostRouter
from vitrify.testing.router_bench import do
from vitrify.testing.this_machine import ThisMachine, free_port

pytestmark = pytest.mark.e2e
NAME = "shop.test"


@dataclass(frozen=True)
class Pair:
    """A certificate of `NAME`, signed by itself, and its key."""

    certificate: str
    key: str


def a_pair(folder: Path, file: str, name: str = NAME) -> Pair:
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    files = ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(folder / f"{file}.key"), "-out", str(folder / f"{file}.pem")]
    subprocess.run([*words, *files], check=True, capture_output=True)
    return Pair((folder / f"{file}.pem").read_text(), (folder / f"{file}.key").read_text())


def within(seconds: float, condition: Callable[[], bool], *, log: Path | None = None) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, log.read_text()[-2000:] if log else "it did not come about in time"
        time.sleep(0.05)


def listens(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[ThisMachine]:
    found = ThisMachine(tmp_path, find_bubblewrap, find_caddy)
    yield found
    found.end()


@pytest.fixture
def blue() -> Iterator[Backends]:
    backend = Backend("blue")
    yield Backends("blue", (f"127.0.0.1:{backend.server_address[1]}",))
    backend.shutdown()
    backend.server_close()


def routing(machine: ThisMachine, **secrets: str) -> OnHostRouter:
    programs = {"caddy": caddy_here, "haproxy": haproxy_here}
    return OnHostRouter(machine.session, machine.home, programs, secret=secrets.__getitem__)


def presented(listen: str) -> str:
    """The certificate that a client is shown, in PEM; empty where it is shown none yet."""
    host, port = listen.split(":")
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, int(port)), timeout=5) as plain, unchecked.wrap_socket(plain, server_hostname=NAME) as secure:
            return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")
    except OSError:
        return ""


def curl(listen: str, trusted: Path) -> str:
    """What a client gets that trusts these certificates alone."""
    host, port = listen.split(":")
    words = ["curl", "--silent", "--show-error", "--fail", "--max-time", "10", "--cacert", str(trusted)]
    where = ["--resolve", f"{NAME}:{port}:{host}", f"https://{NAME}:{port}/"]
    return subprocess.run([*words, *where], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("kind", ["caddy", "haproxy"])
def test_a_given_certificate_is_shown_and_so_is_the_next_one(machine: ThisMachine, blue: Backends, tmp_path: Path, kind: str) -> None:
    first, second = a_pair(tmp_path, "first"), a_pair(tmp_path, "second")
    edge = Router("edge", kind, f"127.0.0.1:{free_port()}", "given", first.certificate, "shop_key")
    router = routing(machine, shop_key=first.key)
    do(router.ensure(Route(edge, NAME), server="web"))
    do(router.switch("web", to=blue))
    assert curl(edge.listen, tmp_path / "first.pem") == "blue"

    renewed = Route(replace(edge, certificate=second.certificate), NAME)
    do(routing(machine, shop_key=second.key).ensure(renewed, server="web"))

    assert curl(edge.listen, tmp_path / "second.pem") == "blue"
    do(router.answers(renewed, path="/"))
    folder = Path(machine.home, "routers", "edge")
    keys = [path for path in folder.rglob("*") if path.is_file() and "PRIVATE KEY" in path.read_text(errors="replace")]
    assert sorted(path.name for path in keys) == ["both.pem", "key.pem"]
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}


def test_caddy_is_its_own_authority_where_nobody_else_is_to_be(machine: ThisMachine, blue: Backends) -> None:
    edge = Router("edge", "caddy", f"127.0.0.1:{free_port()}", "internal")
    router = routing(machine)
    do(router.ensure(Route(edge, NAME), server="web"))
    do(router.switch("web", to=blue))
    root = Path(machine.home, "routers/edge/data/pki/authorities/local/root.crt")
    within(10, root.is_file)
    do(router.answers(Route(edge, NAME), path="/"))

    assert curl(edge.listen, root) == "blue"


@contextmanager
def names_that_lead_here() -> Iterator[str]:
    """A name server for which every name is this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer() -> None:
            while True:
                try:
                    asked, whom = server.recvfrom(512)
                except OSError:
                    return
                end = asked.index(0, 12) + 5
                kind = struct.unpack("!H", asked[end - 4 : end - 2])[0]
                known = struct.pack("!HHHLH4s", 0xC00C, 1, 1, 60, 4, socket.inet_aton("127.0.0.1")) if kind == 1 else b""
                server.sendto(asked[:2] + struct.pack("!HHHHH", 0x8180, 1, int(kind == 1), 0, 0) + asked[12:end] + known, whom)

        threading.Thread(target=answer, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def authority(folder: Path, port: int) -> Iterator[str]:
    """Pebble, which proves who has a name by asking this port; the URL of its directory."""
    program = shutil.which("pebble")
    if program is None:
        pytest.skip("pebble is not here")
    a_pair(folder, "localhost", "localhost")
    listen, told = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    files = {"certificate": str(folder / "localhost.pem"), "privateKey": str(folder / "localhost.key")}
    wishes = {"listenAddress": listen, "managementListenAddress": told, "httpPort": free_port(), "tlsPort": port, **files}
    (folder / "pebble.json").write_text(json.dumps({"pebble": wishes}))
    with names_that_lead_here() as names, (folder / "pebble.log").open("wb") as log:
        environ = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
        command = [program, "-config", str(folder / "pebble.json"), "-dnsserver", names]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)
        try:
            within(10, lambda: listens(listen), log=folder / "pebble.log")
            yield f"https://localhost:{listen.split(':')[1]}/dir"
        finally:
            process.terminate()
            process.wait()


def test_a_certificate_is_fetched_from_an_authority_that_asks_for_proof(machine: ThisMachine, blue: Backends, tmp_path: Path) -> None:
    listen = f"127.0.0.1:{free_port()}"
    with authority(tmp_path, int(listen.split(":")[1])) as directory:
        edge = Router("edge", "caddy", listen, "automatic", authority=directory, roots=(tmp_path / "localhost.pem").read_text())
        router = routing(machine)
        do(router.ensure(Route(edge, NAME), server="web"))
        do(router.switch("web", to=blue))

        within(30, lambda: bool(presented(listen)), log=tmp_path / "pebble.log")

        shown = presented(listen)

    (tmp_path / "shown.pem").write_text(shown)
    words = ["openssl", "x509", "-in", str(tmp_path / "shown.pem"), "-noout", "-issuer", "-ext", "subjectAltName"]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "Pebble" in told.stdout
    assert NAME in told.stdout
