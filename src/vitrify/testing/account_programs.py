"""A root with the programs that keep a host's accounts, so that these can be tried on files that are nobody's."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.passwd import Table
from vitrify.core.system import Command, Completed, Target
from vitrify.onhost.accounts import RootAccounts
from vitrify.onhost.beneath import Beneath
from vitrify.onhost.rooted import Rooted, Surroundings
from vitrify.testing.kind_fixtures import KEY

PROGRAMS = ("useradd", "usermod", "userdel", "groupadd", "groupmod", "groupdel", "gpasswd", "chage", "chpasswd", "getent")


def lacking() -> tuple[str, ...]:
    """The programs that this machine does not have."""
    return tuple(name for name in (*PROGRAMS, "unshare", "ldd") if shutil.which(name) is None)


def furnished(root: Path) -> Path:
    """Put the programs into the root, with the libraries that they need."""
    paths = [str(shutil.which(name)) for name in PROGRAMS]
    told = subprocess.run(["ldd", *paths], check=True, capture_output=True, text=True).stdout
    libraries = {word for line in told.splitlines() for word in line.split() if word.startswith("/") and not word.endswith(":")}
    (root / "proc").mkdir()
    for path in [*paths, *libraries]:
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return root


class InRoot:
    """Runs them in the root, and hides what these programs leave beside the files: locks, and copies of how they were."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def run(self, command: Command) -> Completed:
        """Run it; a date that it wrote for a password of today is taken out, so that a fixture can say what is left."""
        found = shutil.which(command.argv[0])
        if found is None or command.argv[0] not in PROGRAMS:
            raise TargetFailed(f"there is no program {command.argv[0]!r}")
        # With a /proc: `useradd` copies no folder of the skeleton without one.
        argv = ["unshare", "--mount", "--pid", "--fork", f"--root={self._root}", "--mount-proc", found, *command.argv[1:]]
        done = subprocess.run(argv, input=command.stdin, capture_output=True, check=False, timeout=30)
        self._tidy()
        return Completed(done.returncode, done.stdout.decode(), done.stderr.decode())

    def _tidy(self) -> None:
        etc = self._root / "etc"
        for path in (*etc.glob("*-"), etc / ".pwd.lock"):
            path.unlink(missing_ok=True)
        if not (etc / "shadow").exists():
            return
        table, today = Table.read((etc / "shadow").read_bytes()), str(int(time.time() // 86400))
        rows = tuple((*row[:2], "" if row[2] == today else row[2], *row[3:]) for row in table.rows)
        (etc / "shadow").write_bytes(replace(table, rows=rows).text())


def host_over(root: Path, blob: Callable[[str], bytes]) -> Rooted:
    """A live host whose files are those of the root, and whose programs are real."""
    beneath = Beneath([str(root)])
    return Rooted(
        beneath,
        Surroundings(
            target=Target.HOST,
            accounts=RootAccounts(lambda path: _content(root, path), lambda _: (time.monotonic_ns(),)),
            programs=InRoot(root),
            sidecar=None,
            blob=blob,
            key=KEY,
            facts=dict,
            service_manager=lambda: False,
        ),
    )


def _content(root: Path, path: str) -> bytes | None:
    place = root / path.lstrip("/")
    return place.read_bytes() if place.exists() else None
