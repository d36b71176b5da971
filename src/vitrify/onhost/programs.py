"""Runs a program: a list of arguments, a process group of its own, a time limit, nothing of our own environment."""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Callable, Dict, Iterator, Optional, Protocol, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.system import ATTACHED, Command, Completed
from vitrify.onhost.accounts import Accounts
from vitrify.onhost.faults import failed
from vitrify.onhost.files import write

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SET_DEATH_SIGNAL = 1


class Programs(Protocol):
    """Where a target's programs run."""

    def run(self, command: Command) -> Completed:
        """Run it to its end; TargetFailed where it cannot be started or takes too long."""


@dataclass(frozen=True)
class Identity:
    """Who a program runs as."""

    uid: int
    gid: int
    groups: Tuple[int, ...]
    home: str


class Direct:
    """Runs programs on the host itself."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def run(self, command: Command) -> Completed:
        """Run it on the host, as its user."""
        if not os.path.isdir(command.cwd):
            raise TargetFailed(f"{command.argv[0]} cannot be started", why=f"there is no folder {command.cwd} to run it in")
        path = command.environment.get("PATH", PATH)
        program = shutil.which(command.argv[0], path=path)
        if program is None:
            raise no_program(command.argv[0])
        return finish(command, (program, *command.argv[1:]), cwd=command.cwd, identity=self._identity(command.user))

    def _identity(self, user: str) -> Optional[Identity]:
        if not user:
            return None
        uid = self._accounts.user(user)
        if uid == os.geteuid():
            return None
        if os.geteuid() != 0:
            raise TargetFailed(
                f"a program cannot be run as {user!r}", why="only root can run programs as somebody else", hint="run as root"
            )
        gid = self._accounts.primary_group(uid)
        groups = tuple(os.getgrouplist(user, gid)) if not user.isdigit() else (gid,)
        return Identity(uid, gid, groups, os.path.expanduser(f"~{user}") if not user.isdigit() else "/")


def no_program(name: str) -> TargetFailed:
    """The program is not on the target."""
    return TargetFailed(f"there is no program {name!r} on this target", hint="declare what provides it before the resource that runs it")


def _environment(command: Command, identity: Optional[Identity]) -> Dict[str, str]:
    home = identity.home if identity else "/root" if os.geteuid() == 0 else os.path.expanduser("~")
    return {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": home, **command.environment}


def finish(
    command: Command, argv: Tuple[str, ...], *, cwd: str, identity: Optional[Identity] = None, keep_open: Tuple[int, ...] = ()
) -> Completed:
    """Start `argv` for this command and wait for its end; `keep_open` are descriptors that it inherits."""
    # Files instead of pipes: a service that stays behind and keeps its output open does not keep us waiting.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, _stdin(command) as told, _attached(command) as attached:
        try:
            process = subprocess.Popen(
                [f"/proc/self/fd/{attached}" if word == ATTACHED else word for word in argv],
                cwd=cwd,
                env=_environment(command, identity),
                pass_fds=keep_open if attached is None else (*keep_open, attached),
                stdin=told,
                stdout=out,
                stderr=err,
                start_new_session=True,
                user=identity.uid if identity else None,
                group=identity.gid if identity else None,
                extra_groups=identity.groups if identity else None,
                umask=int(command.umask, 8) if command.umask else -1,
                preexec_fn=dying_with_parent(),  # noqa: PLW1509  the payload has one thread
            )
        except OSError as error:
            raise failed(error, f"{command.argv[0]} cannot be started") from error
        try:
            code = _ended(process, command.timeout)
        except subprocess.TimeoutExpired:
            raise TargetFailed(
                f"{command.argv[0]} did not end within {command.timeout:g} seconds",
                why=_end_of(err, command.kept).strip()[-500:],
                hint="it was stopped",
            ) from None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Completed(code, _end_of(out, command.kept), _end_of(err, command.kept))


def _ended(process: subprocess.Popen[bytes], seconds: Optional[float]) -> int:
    """How it ended, as soon as it has: `Popen.wait` with a time limit looks now and then, and so up to 50 ms too late."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (OSError, AttributeError):  # before Linux 5.3, or another system
        return process.wait(seconds)
    try:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        waiting.poll(None if seconds is None else seconds * 1000)
    finally:
        os.close(descriptor)
    return process.wait(0 if seconds is not None else None)


@contextmanager
def _stdin(command: Command) -> Iterator[int]:
    """What it reads. A file in memory: a program that does not read it keeps nobody waiting."""
    if not command.stdin:
        yield subprocess.DEVNULL
        return
    with in_memory(command.stdin) as descriptor:
        yield descriptor


@contextmanager
def _attached(command: Command) -> Iterator[Optional[int]]:
    if command.attached is None:
        yield None
        return
    with in_memory(command.attached) as descriptor:
        yield descriptor


@contextmanager
def in_memory(content: bytes) -> Iterator[int]:
    """A descriptor from which these bytes are read; they are on no disk."""
    descriptor = os.memfd_create("vitrify")
    try:
        write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def dying_with_parent() -> Optional[Callable[[], None]]:
    """A program must not go on changing things while the run that started it is already being recovered."""
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None
    return lambda: prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def _end_of(stream: IO[bytes], kept: int) -> str:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - kept))
    return stream.read().decode("utf-8", "replace")
