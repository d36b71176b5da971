"""The small process that keeps one instance or router alive: it outlives its starter, and nothing outlives it.

    python3 -I -S payload.pyz shim DIR

The files of DIR are specified in `docs/formats/instances.md`. Imports are few: there is one shim for each instance.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Optional

from vitrify.onhost import child as children
from vitrify.onhost.identity import Identity, alive, identify
from vitrify.onhost.logfile import LARGEST, LogFile
from vitrify.onhost.record import read_record, write_record

if TYPE_CHECKING:  # a shim lives as long as its instance: it does not load OpenSSL for the name of a type
    from vitrify.core.digest import JSON, JSONObject

HELD = 75
"""Exit status where another shim keeps this folder already."""

FIRST_PAUSE, LONGEST_PAUSE, STEADY = 0.2, 30.0, 10.0
"""Seconds: the pause before the first restart, doubled each time up to the longest, forgotten after running steadily."""

LOOK = 1.0
"""Seconds between two looks at `control.json` when nobody sends SIGHUP."""

STARTUP_LOOK = 0.003
"""Seconds between two looks at a sandbox that is being put up."""

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL where the control file names none."""


@dataclass(frozen=True)
class Control:
    """What callers ask of a shim: to stop, now or at a time (seconds since the epoch), with what grace."""

    stop: bool = False
    stop_at: Optional[float] = None
    grace: float = GRACE

    @classmethod
    def read(cls, path: str) -> Control:
        """The file's wishes; none where there is no file."""
        record = read_record(path) or {}
        at, grace = record.get("stop_at"), record.get("grace")
        return cls(
            stop=record.get("stop") is True,
            stop_at=float(at) if isinstance(at, (int, float)) else None,
            grace=float(grace) if isinstance(grace, (int, float)) else GRACE,
        )


class Shim:
    """Keeps the child of one folder alive until it is told to stop. The folder is its working directory."""

    def __init__(self, keep: children.Keep, environment: Dict[str, str], myself: Identity) -> None:
        self._keep, self._environment, self._myself = keep, environment, myself
        self._log = LogFile("log", largest=keep.log_bytes)
        self._child: Optional[children.Child] = None
        self._first: Optional[Identity] = None
        self._application: Optional[Identity] = None
        self._status, self._restarts, self._started_at = "starting", 0, 0.0
        self._exit_code: Optional[int] = None
        self._pause, self._restart_at = FIRST_PAUSE, 0.0
        self._control, self._seen = Control(), (0, 0)
        self._kill_at: Optional[float] = None
        self._asked_to_end, self._told = False, False
        self._wake, self._poll = _wakeups(self.ask), select.poll()
        self._poll.register(self._wake, select.POLLIN)

    def run(self) -> None:
        """Until stopped."""
        self._look()
        while self._status != "stopped":
            if self._child is None and not self._stopping() and time.monotonic() >= self._restart_at:
                self._start()
            self._wait()
            self._look()
            self._advance()

    def ask(self) -> None:
        """What SIGTERM means: the machine goes down, or somebody ends the shim by hand."""
        self._asked_to_end = True

    def tell(self) -> None:
        """Write `state.json`, now or, where the disk is full, as soon as it can be."""
        try:
            write_record("state.json", self._state())
            self._told = True
        except OSError:
            self._told = False

    def _state(self) -> JSONObject:
        child = identify(self._child.pid) if self._child else None
        return {
            "format": 1,
            "shim": self._myself.to_json(),
            "child": child.to_json() if child else None,
            "application": self._application.to_json() if self._application else None,
            "status": self._status,
            "restarts": self._restarts,
            "exit_code": self._exit_code,
            "started_at": self._started_at,
        }

    def _stopping(self) -> bool:
        due = self._control.stop_at is not None and time.time() >= self._control.stop_at
        return self._control.stop or due or self._asked_to_end

    def _start(self) -> None:
        try:
            self._child = children.start(self._keep, self._environment)
        except OSError as error:
            self._log.write(f"vitrify: cannot start: {error}\n".encode())
            self._ended(127)
            return
        self._poll.register(self._child.output, select.POLLIN)
        self._status = "starting"
        if not self._keep.within:
            self._running(self._child.pid)

    def _running(self, pid: int) -> None:
        self._application = identify(pid)
        self._status, self._started_at = "running", time.time()
        self.tell()

    def _wait(self) -> None:
        ready = [descriptor for descriptor, _ in self._poll.poll(max(0.0, self._timeout()) * 1000)]
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4096)
        if self._child and self._child.output in ready:
            self._pump()

    def _timeout(self) -> float:
        now, times = time.monotonic(), [LOOK]
        if self._child is None:
            times.append(self._restart_at - now)
        elif self._status == "starting":
            times.append(STARTUP_LOOK)
        if self._kill_at is not None:
            times.append(self._kill_at - now)
        if self._control.stop_at is not None and not self._stopping():
            times.append(self._control.stop_at - time.time())
        return min(times)

    def _pump(self) -> bool:
        # At most 1 MiB at a time: an instance that never stops writing must not keep its shim from stopping it.
        for _ in range(16):
            try:
                data = os.read(self._child.output, 1 << 16) if self._child else b""
            except BlockingIOError:
                return True
            if not data:
                self._forget_output()
                return False
            self._log.write(data)
        return True

    def _forget_output(self) -> None:
        if self._child:
            with contextlib.suppress(KeyError):
                self._poll.unregister(self._child.output)

    def _look(self) -> None:
        try:
            found = os.stat("control.json")  # noqa: PTH116  a shim imports as little as it can
        except FileNotFoundError:
            return
        if (found.st_ino, found.st_mtime_ns) != self._seen:
            self._control, self._seen = Control.read("control.json"), (found.st_ino, found.st_mtime_ns)

    def _advance(self) -> None:
        if not self._told:
            self.tell()
        if self._child and self._status == "starting":
            self._settle(self._child)
        if self._child:
            pid, status = os.waitpid(self._child.pid, os.WNOHANG)
            if pid:
                self._pump()
                self._ended(os.waitstatus_to_exitcode(status))
        if self._stopping():
            self._stop()

    def _settle(self, child: children.Child) -> None:
        if self._first is None:
            self._first = children.first_process(self._keep, child)
        if self._first is not None:
            application = children.application(self._first)
            if application:
                self._running(application)

    def _stop(self) -> None:
        now = time.monotonic()
        if self._child is None:
            self._status = "stopped"
            self.tell()
        elif self._kill_at is None:
            self._status, self._kill_at = "stopping", now + self._control.grace
            self.tell()
            children.ask_to_end(self._child.pid, self._first)
        elif now >= self._kill_at:
            children.make_end(self._child.pid, self._first)
            self._kill_at = now + LOOK

    def _ended(self, code: int) -> None:
        if self._child:
            self._forget_output()
            self._child.close()
        if self._keep.pid_file and not alive(self._first):  # the next container's has still to be written there
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._keep.pid_file)  # noqa: PTH108  a shim imports as little as it can
        steady = self._status == "running" and time.time() - self._started_at >= STEADY
        pause = FIRST_PAUSE if steady else self._pause
        self._child, self._first, self._application, self._exit_code = None, None, None, code
        self._restart_at, self._pause = time.monotonic() + pause, min(LONGEST_PAUSE, pause * 2)
        if not self._stopping():
            self._status, self._restarts = "restarting", self._restarts + 1
            self.tell()


def _wakeups(ask: object) -> int:
    read, write = os.pipe()
    for descriptor in (read, write):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: ask() if callable(ask) else None)
    return read


def main(directory: str) -> int:
    """Keep what DIR/spec.json says, detached from whoever called; returns once that is durably under way.

    0: a shim has taken over; 75: another one keeps this folder already.
    """
    os.chdir(directory)
    lock = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return HELD
    read, write = os.pipe()
    if os.fork():
        os.close(write)
        os.close(lock)
        with os.fdopen(read, "rb") as told:
            return 0 if told.read() else 1
    os.setsid()
    if os.fork():
        os._exit(0)
    _detach()
    try:
        _keep(write)
    except BaseException:  # noqa: BLE001  whatever it was, `shim.log` tells, and the fork must end here
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    os._exit(0)


def _detach() -> None:
    null = os.open("/dev/null", os.O_RDONLY)
    log = os.open("shim.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)


def _keep(told: int) -> None:
    myself = identify(os.getpid())
    spec = read_record("spec.json")
    if myself is None or spec is None:
        raise SystemExit("vitrify shim: no spec.json that can be read")
    shim = Shim(_what(spec.get("keep")), _environment(read_record("environment")), myself)
    shim.tell()
    os.write(told, b"1")
    os.close(told)
    shim.run()


def _what(data: JSON) -> children.Keep:
    if not isinstance(data, dict) or not isinstance(data["argv"], list):
        raise SystemExit("vitrify shim: spec.json does not say what to keep")
    argv = tuple(str(argument) for argument in data["argv"])
    cwd, user, pid_file = (str(data.get(name, default)) for name, default in (("cwd", "/"), ("user", ""), ("pid_file", "")))
    listed = data.get("groups")
    groups = tuple(str(group) for group in listed) if isinstance(listed, list) else ()
    size = data.get("log_bytes")
    return children.Keep(
        argv,
        cwd=cwd,
        user=user,
        sandbox=data.get("sandbox") is True,
        pid_file=pid_file,
        groups=groups,
        log_bytes=size if isinstance(size, int) else LARGEST,
    )


def _environment(record: Optional[JSONObject]) -> Dict[str, str]:
    return {name: str(value) for name, value in (record or {}).items()}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
