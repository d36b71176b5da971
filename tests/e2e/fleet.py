"""Debian machines that answer SSH on this one's loopback, each at an address of its own, and a client that knows none but them."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import commandline
from live_host import REPOSITORY, LiveHost, booted, tree
from vitrify.core.declaration import Host
from vitrify.transports.ssh import Client

PROGRAMS = {"ssh": "openssh-client", "ssh-keygen": "openssh-client"}
PORT = 2222
PASSWORD = "correct horse"  # noqa: S105  of a machine that lives for one test

_SSHD = """\
ListenAddress {address}:{port}
HostKey /etc/ssh/its_key
MaxStartups 200
MaxSessions 200
"""
_CONFIG = """\
Host *
    IdentityFile "{folder}/key"
    IdentitiesOnly yes
    UserKnownHostsFile "{folder}/known_hosts"
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
"""
_USERS = """\
admin ALL=(ALL) NOPASSWD: ALL
asked ALL=(ALL) ALL
Defaults:terminal requiretty
terminal ALL=(ALL) NOPASSWD: ALL
"""
USERS = ("admin", "asked", "terminal", "nobodys")
"""Without a password to sudo, with one, with a terminal, and without any right to it."""


def lacking_ssh() -> str:
    """The packages that this machine lacks to log in on another one, in words."""
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})
    return f"a fleet needs the Debian packages {', '.join(missing)}" if missing else ""


@dataclass(frozen=True)
class Reached:
    """A machine of the fleet."""

    machine: LiveHost
    address: str

    def host(self, user: str = "root") -> Host:
        """The machine as a declaration names it."""
        return Host(self.url(user), address=self.address, user=user, port=PORT)

    def url(self, user: str = "root") -> str:
        """The machine in the words of a declaration."""
        return f"ssh://{user}@{self.address}:{PORT}"

    def text(self, path: str) -> str:
        """A file of the machine."""
        return self.machine.path(path).read_text()

    def processes(self, words: str) -> list[int]:
        """The machine's processes whose command line holds these words, as it numbers them itself."""
        listed = self.machine.run("sh", "-c", 'for f in /proc/[0-9]*; do echo "${f#/proc/} $(tr "\\0" " " < $f/cmdline)"; done').stdout
        return [int(line.split()[0]) for line in listed.splitlines() if words in line and "/proc/" not in line]


@dataclass
class Fleet:
    """Machines, their keys, and the configuration of the one client that may log in."""

    folder: Path
    _stack: ExitStack = field(default_factory=ExitStack)
    _count: int = 0

    @classmethod
    def begin(cls, folder: Path) -> Fleet:
        """A fleet without any machine yet."""
        folder.mkdir(parents=True)
        fleet = cls(folder)
        fleet._key("key")
        fleet.config.write_text(_CONFIG.format(folder=folder))
        (folder / "known_hosts").touch()
        return fleet

    @property
    def config(self) -> Path:
        """The ssh_config that all tests use; never the user's own."""
        return self.folder / "ssh_config"

    @property
    def runtime(self) -> Path:
        """A short path for control sockets, gone with the fleet."""
        place = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="vt")))
        (place / "vitrify").mkdir(mode=0o700)
        return place

    def _key(self, name: str) -> Path:
        path = self.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True, stdin=subprocess.DEVNULL)
        return path

    def boot(self, *, known: bool = True, release: str = "") -> Reached:
        """One more machine that answers; `known`: its host key is one that the client knows. `release` is a Debian's name."""
        self._count += 1
        own = self.folder / f"machine{self._count}"
        own.mkdir()
        address = f"127.{random.randint(64, 127)}.{random.randint(0, 255)}.{random.randint(1, 254)}"  # noqa: S311  any free one will do
        key = self._key(f"{own.name}/its_key")
        (own / "sshd").write_text(_SSHD.format(address=address, port=PORT))
        authorized = own / "authorized"
        shutil.copy(self.folder / "key.pub", authorized)
        binds = {own / "sshd": "/etc/ssh/sshd_config.d/fleet.conf", key: "/etc/ssh/its_key", authorized: "/root/.ssh/authorized_keys"}
        settings = [*(f"--bind-ro={path}:{place}" for path, place in binds.items()), f"--bind={self._disk(own)}:/var/lib/vitrify-run"]
        machine = self._stack.enter_context(booted(own / "place", files=tree(release), settings=settings))
        if known:
            self.know(address, key)
        reached = Reached(machine, address)
        _add_users(machine, authorized.read_text())
        return reached

    def _disk(self, own: Path) -> Path:
        """A filesystem that is still there when the machine boots anew.

        Instances need overlays, and the root of this machine is one itself: on those, no other can be written.
        """
        place = own / "disk"
        place.mkdir(mode=0o755)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "vitrify-run", str(place)], check=True)
        self._stack.callback(subprocess.run, ["umount", "--lazy", str(place)], check=True)
        return place

    def know(self, address: str, key: Path) -> None:
        """Let the client know this host key."""
        public = key.with_suffix(".pub").read_text().split()
        with (self.folder / "known_hosts").open("a") as known:
            known.write(f"[{address}]:{PORT} {public[0]} {public[1]}\n")

    def configure(self, text: str) -> None:
        """Put this before all that the ssh_config says already."""
        self.config.write_text(text + self.config.read_text())

    def close(self) -> None:
        """End all machines; with them go the connections, and with those the clients that kept them."""
        self._stack.close()


def _add_users(machine: LiveHost, authorized: str) -> None:
    machine.path("/etc/sudoers.d/fleet").write_text(_USERS)
    machine.path("/etc/sudoers.d/fleet").chmod(0o440)
    for user in USERS:
        machine.run("useradd", "--create-home", "--shell", "/bin/bash", user)
        folder = machine.path(f"/home/{user}/.ssh")
        folder.mkdir(mode=0o700)
        (folder / "authorized_keys").write_text(authorized)
        machine.run("chown", "-R", f"{user}:", f"/home/{user}/.ssh")
    machine.run("sh", "-c", f"printf '%s\\n' 'asked:{PASSWORD}' 'nobodys:{PASSWORD}' | chpasswd")


_LOGIN = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.argv.pop(0)
from vitrify.cli.main import main
main()
"""
"""A terminal of its own, so that Ctrl-C reaches the command."""


@dataclass(frozen=True)
class Control:
    """A control machine: a project folder and a home of its own, whose command line is run on this machine."""

    folder: Path
    home: Path
    runtime: Path

    def declare(self, text: str) -> None:
        """Write the declaration."""
        (self.folder / "vitrify.yaml").write_text(text)

    def environment(self, **more: str) -> dict[str, str]:
        """What the command line finds around it."""
        own = {"VITRIFY_HOME": str(self.home), "VITRIFY_YES": "1", "XDG_RUNTIME_DIR": str(self.runtime), "HOME": str(self.home)}
        # This source, and not whichever the environment of Python has installed.
        sources = [more["PYTHONPATH"]] if "PYTHONPATH" in more else []
        return {"PATH": os.environ["PATH"], **own, **more, "PYTHONPATH": os.pathsep.join([*sources, str(REPOSITORY / "src")])}

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """The command line, running."""
        command = [sys.executable, "-m", "vitrify", "-C", str(self.folder), *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.environment(**environment), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)

    def at_terminal(self, *words: str, terminal: int) -> subprocess.Popen[bytes]:
        """The command line, started by somebody who sits at this terminal."""
        command = [sys.executable, "-c", _LOGIN, "vitrify", "-C", str(self.folder), *words]
        return subprocess.Popen(
            command, env=self.environment(NO_COLOR="1"), stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
        )

    def run(self, *words: str, expect: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command line, run to its end; where it has to load something else it is started anew."""
        if "PYTHONPATH" in environment:
            with self.start(*words, **environment) as process:
                said = process.communicate(timeout=90)
            done = subprocess.CompletedProcess(words, process.returncode, *said)
        else:
            done = commandline.run(["-C", str(self.folder), *words], cwd=Path.cwd(), environment=self.environment(**environment))
        assert expect is None or done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def bare(self, fleet: Fleet, machine: Reached, user: str = "admin") -> None:
        """What the OpenSSH client alone does, called as vitrify calls it: nothing, on that machine."""
        argv = Client(self.runtime / "vitrify", str(fleet.config)).argv(machine.host(user), "true")
        subprocess.run(argv, check=True, env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True)

    def document(self, *words: str, expect: int = 0, **environment: str) -> dict[str, Any]:
        """The JSON document that a command prints."""
        found: dict[str, Any] = json.loads(self.run(*words, "-o", "json", expect=expect, **environment).stdout)
        return found
