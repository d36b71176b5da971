"""A host that is attacked: a booted Debian, hardened by a declaration, watched, and an intruder who logged in to it."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.attacks import DECLARED, FORBIDDEN, LINKS, LOGS, THERE, Attack

from live_host import REPOSITORY, VITRIFY, LiveHost, family

FOLDERS = ("/boot", "/etc", "/home", "/root", "/usr", "/var/log", "/var/spool")
THEIRS = re.compile(r"/var/log/(btmp|lastlog|journal/.*)")
"""What the host itself writes in them, beside what it writes to `LOGS`."""
EVE, ADA = "eve", "ada"
"""Who broke in, and logs in by a key and becomes root by sudo; and a user whose home is there."""
WITHIN = 60.0
"""Seconds that a finding may take on a machine that does much else."""
LOGIN = (
    *("ssh", "-q", "-i", "/home/eve/key", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
    *("-o", "LogLevel=ERROR", "eve@127.0.0.1"),
)


def prepare(machine: LiveHost) -> int:
    """Give it all that will be attacked and is not there, and the two users; the number of the one who breaks in."""
    for user in (EVE, ADA):
        machine.run("useradd", "--create-home", "--shell", "/bin/bash", user)
    machine.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/home/eve/key")
    machine.run("install", "-d", "-m", "0700", "-o", EVE, "/home/eve/.ssh")
    machine.run("install", "-m", "0600", "-o", EVE, "/home/eve/key.pub", "/home/eve/.ssh/authorized_keys")
    machine.path("/etc/sudoers.d/eve").write_text("eve ALL=(ALL) NOPASSWD: ALL\n")
    machine.path("/etc/hosts").write_text(f"127.0.0.1 localhost {os.uname().nodename}\n")  # or sudo asks the network for its name
    for path in (*DECLARED, *THERE, *LOGS):
        place = machine.path(path)
        if not os.path.lexists(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(DECLARED.get(path, f"what is in {path} on this host\n"))
    for path, to in LINKS.items():
        machine.path(path).symlink_to(to)
    machine.run("chown", "-R", f"{ADA}:{ADA}", "/home/ada")
    return int(machine.run("id", "-u", EVE).stdout)


def hardened(machine: LiveHost, project: Path, *, host: str) -> str:
    """The declaration of what is there now, with the files beside it."""
    paths = (*DECLARED, *THERE)
    told = machine.run("stat", "-c", "%a %U %G", *paths).stdout.splitlines()
    resources: list[dict[str, Any]] = [{"file": {"path": path, "absent": True}} for path in FORBIDDEN]
    for number, (path, line) in enumerate(zip(paths, told, strict=True)):
        mode, owner, group = line.split()
        shutil.copyfile(machine.path(path), project / f"{number}")
        resources.append({"file": {"path": path, "source": f"{number}", "owner": owner, "group": group, "mode": f"{mode:>04}"}})
    server = {"lifecycle": "mutable", "hosts": [host], "audit": {"folders": [*FOLDERS]}, "resources": resources}
    return json.dumps({"version": 1, "project": "attacked", "servers": {"web": server}})


@dataclass(frozen=True)
class Seat:
    """From where the host is kept: how a command of ours is begun there, and what reaches its project from here."""

    machine: LiveHost
    project: Path
    host: str
    """As the declaration names it."""
    prefix: tuple[str, ...]
    home: str
    place: str
    """The project, as the command names it."""
    rung: str
    """Where a watch has to stand here; "" where it says so itself."""
    numbers: Callable[[int], int]
    """The number that a watch here knows a process of the host by."""

    def begun(self, *words: str, told: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """The command line, running; its progress is read by nobody where `told` is nothing."""
        command = [*self.prefix, sys.executable, "-P", "-m", "vitrify", "-C", self.place, *words]
        known = {**os.environ, **VITRIFY, "VITRIFY_HOME": self.home}
        return subprocess.Popen(command, env=known, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told, text=True)

    def run(self, *words: str) -> str:
        """The command line, run to its end; what it printed."""
        with self.begun(*words) as running:
            said, wrong = running.communicate()
        assert running.returncode == 0, f"{words}: {running.returncode}\n{said}\n{wrong}"
        return said


def beneath(machine: LiveHost, root: Path, folder: Path) -> Seat:
    """From the machine that it runs on, whose kernel it shares: there audit tells who. No root of the host can stop that."""
    # In the namespace of its mounts, for audit takes no path of another one; and with a /proc that knows the watch itself.
    within = ("nsenter", f"--target={machine.keeper.pid}", "--mount", "unshare", "--mount", "--propagation=private")
    shell = ("sh", "-c", 'mount -t proc proc /proc && exec "$@"', "sh")
    project = folder / "project"
    project.mkdir()
    return Seat(
        machine, project, f"root:{root}", (*within, *shell), str(folder / "home"), str(project), "audit", numbers=machine.counted_here
    )


def inside(machine: LiveHost) -> Seat:
    """From within, as its administrator: a host that is a container may set no rules of audit, and says so."""
    machine.path("/srv/project").mkdir()
    prefix = ("nsenter", f"--target={machine.init}", "--mount", "--uts", "--ipc", "--net", "--pid", "--")
    return Seat(machine, machine.path("/srv/project"), "local", prefix, "/srv/home", "/srv/project", "", numbers=int)


class Watch:
    """`vitrify watch` there, and all that it tells of each path."""

    def __init__(self, seat: Seat) -> None:
        self.process = seat.begun("watch", "-o", "ndjson", told=subprocess.DEVNULL)
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.rung = str(self._next("vitrify.dev/event/v1")["detail"]).split(":")[0].removeprefix("stands on ")

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def _next(self, schema: str) -> dict[str, Any]:
        while True:
            found = self._lines.get(timeout=WITHIN)
            if found["schema"] == schema:
                return found

    def tells(self, enough: Callable[[dict[str, dict[str, Any]]], bool]) -> dict[str, dict[str, Any]]:
        """The newest finding of each path, once that is enough, or as it is when nothing more comes."""
        found: dict[str, dict[str, Any]] = {}
        try:
            while not enough(found):
                told = self._next("vitrify.dev/watch/v1")["finding"]
                found[told["path"]] = told
        except queue.Empty:
            pass
        return found

    def end(self) -> None:
        """As Ctrl-C ends it."""
        programs = ((pid, os.path.realpath(f"/proc/{pid}/exe")) for pid in family(self.process.pid))
        os.kill(next(pid for pid, program in programs if "python" in program), signal.SIGINT)  # what leads into a machine passes on none
        self._reader.join(WITHIN)
        self.process.wait(timeout=WITHIN)
        assert self.process.stdout
        self.process.stdout.close()


@contextmanager
def watching(seat: Seat) -> Iterator[Watch]:
    """A watch that ends with the block, and has looked once when it begins: what happens from then on it has to name."""
    here_before = seat.machine.path("/home/here-before")
    here_before.touch()
    watch = Watch(seat)
    try:
        assert watch.tells(lambda found: "/home/here-before" in found)
        here_before.unlink()
        yield watch
    finally:
        watch.end()


@dataclass
class Intruder:
    """Somebody who logged in over SSH and became root; each attack is a process of its own."""

    machine: LiveHost
    shell: subprocess.Popen[str]
    did: dict[str, int] = field(default_factory=dict)
    """Attack -> the process that did it, as this machine counts."""

    def attack(self, attack: Attack, numbers: Callable[[int], int]) -> None:
        """Do it; it is known by the number that `numbers` makes of the host's own."""
        said = self._said(attack.name)
        assert said.isdecimal(), said
        self.did[attack.name] = numbers(int(said))
        self._say("")

    def _said(self, line: str) -> str:
        self._say(line)
        assert self.shell.stdout
        return self.shell.stdout.readline().strip()

    def _say(self, line: str) -> None:
        assert self.shell.stdin
        self.shell.stdin.write(f"{line}\n")
        self.shell.stdin.flush()


@contextmanager
def broken_in(machine: LiveHost) -> Iterator[Intruder]:
    """The intruder is in, for as long as the block lasts."""
    program = f"sudo /usr/bin/python3 -B -P {REPOSITORY}/tests/e2e/intruder.py {REPOSITORY} 2>&-"  # what it breaks complains
    with machine.started(*LOGIN, program) as shell:
        yield Intruder(machine, shell)


def kept(machine: LiveHost, attacks: Sequence[Attack]) -> Callable[[Attack], None]:
    """Remember what is at all these paths; returns what puts it back there by hand."""
    before = {attack.path: _copy(machine.path(attack.path)) for attack in attacks}
    missing = {folder for attack in attacks for folder in Path(attack.path).parents if not machine.path(str(folder)).exists()}

    def back(attack: Attack) -> None:
        place = machine.path(attack.path)
        place.unlink(missing_ok=True)
        if before[attack.path]:
            _put(place, *before[attack.path])
        for folder in Path(attack.path).parents:
            if folder in missing and machine.path(str(folder)).exists() and not any(machine.path(str(folder)).iterdir()):
                machine.path(str(folder)).rmdir()

    return back


def _copy(place: Path) -> tuple[os.stat_result, bytes] | tuple[()]:
    if not os.path.lexists(place):
        return ()
    return place.lstat(), os.fsencode(place.readlink()) if place.is_symlink() else place.read_bytes()


def _put(place: Path, status: os.stat_result, content: bytes) -> None:
    if stat.S_ISLNK(status.st_mode):
        place.symlink_to(os.fsdecode(content))
    else:
        place.write_bytes(content)
        place.chmod(stat.S_IMODE(status.st_mode))
    os.chown(place, status.st_uid, status.st_gid, follow_symlinks=False)


def fingerprint(machine: LiveHost) -> dict[str, tuple[object, ...]]:
    """What is there, by our own eyes and no code of vitrify's: type, rights, owner, attributes, and the content of each path."""
    found = {}
    for folder in FOLDERS:
        top = machine.path(folder)
        for above, folders, files in os.walk(top):
            for name in (*folders, *files):
                place = Path(above, name)
                path = f"{folder}/{place.relative_to(top)}"
                if not THEIRS.fullmatch(path):
                    found[path] = _print(place)
    return found


def _print(place: Path) -> tuple[object, ...]:
    status = place.lstat()
    names = sorted(os.listxattr(place, follow_symlinks=False))
    own = (oct(status.st_mode), status.st_uid, status.st_gid, [(name, os.getxattr(place, name, follow_symlinks=False)) for name in names])
    if stat.S_ISLNK(status.st_mode):
        return (*own, place.readlink())
    if stat.S_ISREG(status.st_mode):
        with place.open("rb") as file:
            return (*own, hashlib.file_digest(file, "sha256").hexdigest())
    return own
