"""A real Debian machine on this one: systemd is its PID 1, its network is its own, and it is gone with one process."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import commandline

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("acl", "cron", "dbus", "locales", "nftables", "openssh-server", "python3", "sudo", "systemd-sysv", "util-linux")
"""What all machines have, so that they share one tree: making it takes longer than any test."""
PROGRAMS = {"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "unshare": "util-linux", "nsenter": "util-linux"}
PROJECT = "/root/project"
"""The project's folder inside the machine."""
WITHIN = 40.0
"""Seconds that a machine has to start."""
CLEAN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
VITRIFY = {"PYTHONPATH": str(REPOSITORY / "src"), "PYTHONDONTWRITEBYTECODE": "1", "VITRIFY_YES": "1"}

KEEPER = r"""
set -e
tree=$1 place=$2 cgroup=$3; shift 3
echo 0 > "$cgroup/cgroup.procs"
# A guest's systemd refuses version 1 of cgroups with version 2 mounted among them; this namespace alone is made to look like version 1.
if [ ! -e /sys/fs/cgroup/cgroup.controllers ] && mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
mount -t tmpfs -o mode=0755 tmpfs /run
mount -t tmpfs -o mode=0755 tmpfs "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=$tree,upperdir=$place/upper,workdir=$place/work" "$place/root"
code=133  # a machine that reboots ends so, and wants to be started again
while [ "$code" -eq 133 ]; do
    code=0
    systemd-nspawn --quiet --directory="$place/root" --boot --register=no --keep-unit --machine=live --link-journal=no "$@" || code=$?
done
"""


def lacking() -> str:
    """What this machine lacks to start another one, in words; empty where nothing is."""
    if os.geteuid() != 0:
        return "a machine with systemd can be started by root alone"
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})
    if missing:
        return f"a machine with systemd needs the Debian packages {', '.join(missing)}"
    return "" if _release() else "this machine is no Debian, so its Python would not run in one"


def _release() -> str:
    """The Debian release of this machine: the guest's libraries must suit the virtual environment that it is lent."""
    with suppress(OSError):
        told = platform.freedesktop_os_release()
        return told.get("VERSION_CODENAME", "") if told["ID"] == "debian" else ""
    return ""


@functools.cache
def tree(release: str = "") -> Path:
    """The files of a small Debian, made the first time (half a minute) and kept in the user's cache.

    Never written to. Without a release it is that of this machine.
    """
    release = release or _release()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vitrify-tests"
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / "-".join(("debian", release, *PACKAGES))
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            part = place.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}", release, str(part)]
            made = subprocess.run(command, check=False, capture_output=True, text=True)
            if made.returncode:
                raise RuntimeError(f"mmdebstrap ended with {made.returncode}: {made.stderr}")
            part.rename(place)
    return place


@dataclass(frozen=True)
class LiveHost:
    """A machine that is up. `init` is its PID 1, as this machine counts; `keeper` the process that it all ends with."""

    keeper: subprocess.Popen[bytes]
    console: Path
    init: int

    def path(self, inside: str) -> Path:
        """A path of the machine, to be read or written from here."""
        return Path(f"/proc/{self.init}/root{inside}")

    def run(
        self, *words: str, expect: int | None = 0, cwd: str = "/", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A program inside."""
        result = subprocess.run(
            [*self._enter(cwd), *words],
            env={**CLEAN, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert expect is None or result.returncode == expect, f"{words}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    def _enter(self, cwd: str) -> list[str]:
        return ["nsenter", "--target", str(self.init), "--mount", "--uts", "--ipc", "--net", "--pid", f"--wdns={cwd}", "--"]

    def inside(self, *words: str) -> list[str]:
        """What runs this program inside, for somebody else to run."""
        return [*self._enter("/"), *words]

    @contextmanager
    def started(self, *words: str, cwd: str = "/") -> Iterator[subprocess.Popen[str]]:
        """A program inside that runs while the test goes on; it can be written to, and read. At the end of the block it is killed."""
        pipe, known = subprocess.PIPE, {**CLEAN, **VITRIFY}
        with subprocess.Popen([*self._enter(cwd), *words], env=known, stdin=pipe, stdout=pipe, text=True) as entered:
            try:
                yield entered
            finally:
                for pid in reversed([*family(entered.pid)]):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    def vitrify(self, *words: str, expect: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command line, run inside, as an administrator of the machine would."""
        result = commandline.run(words, cwd=PROJECT, environment={**CLEAN, **VITRIFY, **environment}, inside=self.init)
        said = f"{words}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        assert expect is None or result.returncode == expect, f"{said}{self._reports()}"
        return result

    def _reports(self) -> str:
        """What vitrify wrote down inside about a fault of its own, which goes with the machine."""
        folder = self.path(f"{CLEAN['HOME']}/.local/share/vitrify/reports")
        return "".join(path.read_text() for path in sorted(folder.glob("*.txt")))

    def document(self, *words: str, expect: int = 0, **environment: str) -> dict[str, Any]:
        """The JSON document that a command prints."""
        document: dict[str, Any] = json.loads(self.vitrify(*words, "-o", "json", expect=expect, **environment).stdout)
        return document

    def counted_here(self, inside: int) -> int:
        """The number by which this machine knows a process that the other one knows by that number."""
        return next(pid for pid in family(self.keeper.pid) if _pids(pid)[2:] == [str(inside)])

    def unit(self, name: str, *properties: str) -> dict[str, str]:
        """What the machine's systemd says of a unit."""
        told = self.run("systemctl", "show", *(f"--property={one}" for one in properties), name).stdout
        return dict(line.split("=", 1) for line in told.splitlines())

    def reboot(self, *how: str) -> LiveHost:
        """The same machine, shut down (in order, unless `how` says otherwise) and started again."""
        self.run(*(how or ("systemctl", "reboot")), expect=None if how else 0)
        return self.started_anew()

    def started_anew(self) -> LiveHost:
        """The same machine, once it has gone down by itself and come up."""
        return _wait(self.keeper, self.console, instead_of=self.init)

    @contextmanager
    def held_down(self) -> Iterator[None]:
        """Once it has gone down it stays down until the end of the block: who starts it again sleeps."""
        starter = next(pid for pid in family(self.keeper.pid) if _words(pid)[:1] == ["sh"])
        os.kill(starter, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(starter, signal.SIGCONT)


@contextmanager
def booted(folder: Path, *, files: Path | None = None, settings: Sequence[str] = ("--private-network",)) -> Iterator[LiveHost]:
    """A new machine that finished starting; afterwards nothing of it is left. `folder` gets what it said on its console.

    `files` are those that `tree` made; `settings` are more arguments of systemd-nspawn.
    """
    place, console = folder / "machine", folder / "console"
    place.mkdir(parents=True)
    lent = dict.fromkeys((str(REPOSITORY), sys.prefix, *((sys.base_prefix,) if sys.base_prefix != "/usr" else ())))
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", KEEPER, "keeper"]
    with _cgroup() as cgroup, console.open("wb") as said:
        command = [*unshare, str(files or tree()), str(place), str(cgroup), *(f"--bind-ro={path}" for path in lent), *settings]
        keeper = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True)
        try:
            host = _wait(keeper, console)
            host.path(PROJECT).mkdir()
            yield host
        finally:
            keeper.kill()
            keeper.wait()


def _wait(keeper: subprocess.Popen[bytes], console: Path, *, instead_of: int = 0) -> LiveHost:
    """Until systemd says that all it had to start is started."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline and keeper.poll() is None:
        init = _init(keeper.pid)
        if init not in (0, instead_of) and Path(f"/proc/{init}/root/run/systemd/private").exists():
            host = LiveHost(keeper, console, init)
            state = host.run("systemctl", "is-system-running", "--wait", expect=None).stdout.strip()
            assert state == "running", f"{state}: {host.run('systemctl', '--failed', '--no-legend').stdout}"
            return host
        time.sleep(0.02)
    raise RuntimeError(f"the machine did not start: {console.read_text(errors='replace')[-2000:]}")


def _init(keeper: int) -> int:
    """The descendant that is PID 1 where it lives, two namespaces down."""
    for pid in family(keeper):
        with suppress(OSError):
            if _pids(pid)[2:] == ["1"]:
                return pid
    return 0


def family(pid: int) -> Iterator[int]:
    """A process and all its descendants, as this machine counts."""
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        yield one
        with suppress(OSError):
            waiting += [int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()]


def _words(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return []


def _pids(pid: int) -> Sequence[str]:
    """Its numbers, from our namespace inwards."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("NSpid:")]
    return line.split()[1:]


@contextmanager
def _cgroup() -> Iterator[Path]:
    """A cgroup of its own for one machine: two that share one would take each other's processes for theirs."""
    top = Path("/sys/fs/cgroup")
    folder = (top if (top / "cgroup.controllers").exists() else top / "systemd") / f"vitrify-test-{os.getpid()}-{time.monotonic_ns()}"
    folder.mkdir()
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(cgroup: Path) -> None:
    """Its processes were killed; it can go when the last one has."""
    deadline = time.monotonic() + WITHIN
    while cgroup.exists():
        for path in sorted((path for path in cgroup.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):
                path.rmdir()
        with suppress(OSError):
            cgroup.rmdir()
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes of the machine are left in {cgroup}")
        time.sleep(0.01)
