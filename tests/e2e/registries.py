"""Debian's registry on this machine's loopback: with or without logins, and able to be killed and started again."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from vitrify.testing.this_machine import free_port

PROGRAM = "docker-registry"


def lacking() -> str:
    """What this machine lacks to serve a registry, in words."""
    return "" if shutil.which(PROGRAM) else f"a registry needs the Debian package {PROGRAM}"


@dataclass
class Served:
    """A registry; `address` is what stands before the slash of a reference."""

    folder: Path
    port: int
    auth: str = ""
    tls: tuple[Path, Path] | None = None
    """Its certificate, and the key to it."""
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def start(self) -> None:
        """Serve what is in the folder; returns once somebody answers."""
        settings = self.folder / "config.yml"
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        tls = f", tls: {{certificate: {self.tls[0]}, key: {self.tls[1]}}}" if self.tls else ""
        settings.write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {data}}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '{self.address}', secret: of-this-test{tls}}}\n{self.auth}"
        )
        log = (self.folder / "log").open("ab")
        with log:
            self.running.append(subprocess.Popen([PROGRAM, "serve", str(settings)], stdout=log, stderr=log))
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=2):
                    return
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"no registry at {self.address}: {(self.folder / 'log').read_text()[-2000:]}")

    def kill(self) -> None:
        """End it at once."""
        while self.running:
            process = self.running.pop()
            process.kill()
            process.wait()

    def blob(self, digest: str) -> Path:
        """Where it keeps a blob."""
        name = digest.removeprefix("sha256:")
        return self.folder / "data/docker/registry/v2/blobs/sha256" / name[:2] / name / "data"


@contextmanager
def registry(folder: Path, *, auth: str = "", tls: tuple[Path, Path] | None = None) -> Iterator[Served]:
    """A registry that ends with this block."""
    port = free_port()
    served = Served(folder, port, auth, tls)
    try:
        served.start()
        yield served
    finally:
        with suppress(ProcessLookupError):
            served.kill()
