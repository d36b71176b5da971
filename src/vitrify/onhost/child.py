"""Starting the one child of a shim so that it cannot outlive it, and ending it with all that it started."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import pwd
import signal
from dataclasses import dataclass, field
from typing import List, Mapping, Optional, Tuple

from vitrify.onhost.identity import Identity, alive, children, identify, name
from vitrify.onhost.logfile import LARGEST

STATUS_FD = 3
"""Where a sandbox tells the process id of its first process (`bwrap --info-fd`)."""

_SANDBOX = frozenset({"bwrap", "podman-init", "catatonit"})
"""First processes of a sandbox, by name: what they start bears it, too, until it becomes another program."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Keep:
    """What a shim keeps alive. `user` matters only where the shim is root; `sandbox` says that argv starts bubblewrap.

    `pid_file` is where argv, which then starts a container and waits for its end, has the id of its first process written.
    """

    argv: Tuple[str, ...]
    cwd: str = "/"
    user: str = ""
    sandbox: bool = False
    pid_file: str = ""
    groups: Tuple[str, ...] = ()
    """Files that a process writes to in order to be held to limits."""
    log_bytes: int = LARGEST
    """When `log` becomes `log.1`."""

    @property
    def within(self) -> bool:
        """Whether what counts is not the child itself but runs inside something that the child puts up."""
        return self.sandbox or bool(self.pid_file)


@dataclass(frozen=True)
class Child:
    """A started child: the descriptors from which its output and its sandbox's first process id are read."""

    pid: int
    output: int
    status: Optional[int]
    told: bytearray = field(default_factory=bytearray)
    """What its sandbox has told so far: bubblewrap does so in pieces."""

    def descriptors(self) -> List[int]:
        """What is open of it."""
        return [descriptor for descriptor in (self.output, self.status) if descriptor is not None]

    def close(self) -> None:
        """Give the descriptors back."""
        for descriptor in self.descriptors():
            os.close(descriptor)


def start(keep: Keep, environment: Mapping[str, str]) -> Child:
    """Start it; OSError where the program cannot be run."""
    out_read, out_write = os.pipe()
    failed_read, failed_write = os.pipe()
    status_read, status_write = os.pipe() if keep.sandbox else (None, None)
    shim = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(keep, environment, (out_write, failed_write, status_write), shim)
    for descriptor in (out_write, failed_write, status_write):
        if descriptor is not None:
            os.close(descriptor)
    with os.fdopen(failed_read, "rb") as failed:
        reason = failed.read()
    child = Child(pid, out_read, status_read)
    if reason:
        os.waitpid(pid, 0)
        child.close()
        raise OSError(int(reason), f"{keep.argv[0]}: {os.strerror(int(reason))}")
    for descriptor in child.descriptors():
        os.set_blocking(descriptor, False)
    return child


def _become(keep: Keep, environment: Mapping[str, str], pipes: Tuple[int, int, Optional[int]], shim: int) -> None:
    output, failed, status = pipes
    try:
        os.setsid()
        os.umask(0o022)
        null = os.open("/dev/null", os.O_RDONLY)
        # Out of the way of 0 to 3 first: a pipe may itself sit on one of them.
        output, failed, null = (_above(descriptor) for descriptor in (output, failed, null))
        status = _above(status) if status is not None else None
        for source, target in ((null, 0), (output, 1), (output, 2), (status, STATUS_FD)):
            if source is not None:
                os.dup2(source, target)
        os.chdir(keep.cwd)
        for group in keep.groups:
            _enter(group)
        _drop_to(keep.user)
        # Behind the change of user, which clears it; and the shim may have died before it was set.
        die_with_parent()
        if os.getppid() != shim:
            os._exit(1)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.execve(keep.argv[0], list(keep.argv), dict(environment))  # noqa: S606  argv is a list, no shell
    except OSError as error:
        os.write(failed, str(error.errno or errno.EIO).encode())
    except KeyError:  # no such user
        os.write(failed, str(errno.EINVAL).encode())
    finally:
        os._exit(127)


def _enter(group: str) -> None:
    descriptor = os.open(group, os.O_WRONLY | os.O_CLOEXEC)
    os.write(descriptor, b"0")
    os.close(descriptor)


def _above(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)


def _drop_to(user: str) -> None:
    if user and os.geteuid() == 0:
        entry = pwd.getpwnam(user)
        os.initgroups(user, entry.pw_gid)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies, of whatever."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def first_process(keep: Keep, child: Child) -> Optional[Identity]:
    """The first process of what the child puts up, once it is told; None until then."""
    try:
        pid = _written(keep.pid_file) if keep.pid_file else _told(child)
    except (OSError, ValueError):
        return None
    return identify(pid) if pid is not None else None


def _told(child: Child) -> Optional[int]:
    if child.status is not None:
        child.told.extend(os.read(child.status, 1 << 16))
    pid = json.loads(child.told).get("child-pid") if child.told else None  # ValueError until the last piece is there
    return pid if isinstance(pid, int) else None


def _written(pid_file: str) -> Optional[int]:
    descriptor = os.open(pid_file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return int(os.read(descriptor, 64) or b"0") or None
    finally:
        os.close(descriptor)


def application(first: Identity) -> Optional[int]:
    """The application below a sandbox's first process, once its program was really started; None until then."""
    found = children(first.pid) if alive(first) else []
    return found[0] if found and name(found[0]) not in {"", *_SANDBOX} else None


def ask_to_end(child: int, first: Optional[Identity]) -> None:
    """SIGTERM to the application: the child itself, or what runs right below the first process of a sandbox."""
    # A sandbox that gets the signal itself dies at once and takes the application with it, without any grace.
    for pid in _asked(child, first):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def _asked(child: int, first: Optional[Identity]) -> List[int]:
    # The child is ours to reap, so its number is its own; the first process's may have been given away.
    return (children(first.pid) if first and alive(first) else []) or [child]


def make_end(child: int, first: Optional[Identity]) -> None:
    """SIGKILL to all of it: with the first process of a sandbox the kernel ends every other one."""
    for pid in (first.pid if first and alive(first) else None, child):
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
