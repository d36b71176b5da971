"""A real PostgreSQL server in a folder of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vitrify.core.difference import Change
from vitrify.core.digest import JSON
from vitrify.core.resource import Resource
from vitrify.testing.this_host import ThisHost
from vitrify.testing.this_machine import free_port

BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nowhere"))
OWNER = "postgres" if os.geteuid() == 0 else getpass.getuser()
LACKING = "" if (BIN / "initdb").exists() else "postgresql-15 is not installed"


@dataclass
class Server:
    """A server that is up, and the host that it is on."""

    folder: Path
    port: int
    host: ThisHost

    def wish(self, kind: str, name: str, *, absent: bool = False, **more: JSON) -> Resource:
        place: dict[str, JSON] = {"name": name, "socket": str(self.folder), "port": self.port, "user": OWNER}
        return self.host.wish(kind, absent=absent, secret=False, **place, **more)

    def converge(self, kind: str, name: str, *, absent: bool = False, **more: JSON) -> Change | None:
        return self.host.converge(self.wish(kind, name, absent=absent, **more))

    def sql(self, statement: str, *, user: str = OWNER, password: str = "", database: str = "postgres") -> subprocess.CompletedProcess[str]:
        where = "127.0.0.1" if password else str(self.folder)
        command = ["psql", "-X", "-A", "-t", "-w", "-h", where, "-p", str(self.port), "-U", user, "-d", database, "-c", statement]
        environment = {**os.environ, "PGPASSWORD": password, "PGCONNECT_TIMEOUT": "10"}
        return subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=60)

    def log(self) -> str:
        return (self.folder / "log").read_text()


@contextmanager
def started() -> Iterator[Server]:
    """A server that is up until the block ends."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        shutil.chown(folder, OWNER)
        port = free_port()
        data = str(folder / "data")
        who = {"user": OWNER} if os.geteuid() == 0 else {}
        initdb = [str(BIN / "initdb"), "-D", data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, cwd="/", timeout=90, **who)  # type: ignore[call-overload]
        (folder / "data/pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        options = ["-c", f"unix_socket_directories={folder}", "-c", f"port={port}", "-c", "listen_addresses=127.0.0.1"]
        options += ["-c", "fsync=off", "-c", "log_statement=all"]
        with (folder / "log").open("wb") as log:
            running = subprocess.Popen([str(BIN / "postgres"), "-D", data, *options], stdout=log, stderr=log, cwd="/", **who)  # type: ignore[call-overload]
        try:
            found = Server(folder, port, ThisHost())
            deadline = time.monotonic() + 30
            while found.sql("SELECT 1").returncode and time.monotonic() < deadline:
                time.sleep(0.1)
            yield found
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(30)
