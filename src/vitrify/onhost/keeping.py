"""A folder kept by a shim, from the caller's side: start its shim, ask it to stop, read what it says."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSONObject
from vitrify.onhost import shim
from vitrify.onhost.identity import Identity, alive
from vitrify.onhost.logfile import tail
from vitrify.onhost.record import read_record, write_record

PATIENCE = 20.0
"""Seconds that a child may take to come up, or a shim to end behind the grace it gives."""

POLL = 0.005


@dataclass(frozen=True)
class State:
    """What a kept folder is: its shim's last word, corrected by whether the shim is alive."""

    status: str
    restarts: int = 0
    exit_code: Optional[int] = None
    started_at: float = 0.0
    stop_at: Optional[float] = None
    shim: Optional[Identity] = None
    child: Optional[Identity] = None
    application: Optional[Identity] = None

    @property
    def kept(self) -> bool:
        """Whether a shim looks after it."""
        return self.status not in ("stopped", "lost")


def state(folder: str) -> State:
    """The state of a folder; `lost` where its shim died without having been asked to stop."""
    told = read_record(f"{folder}/state.json") or {}
    control = shim.Control.read(f"{folder}/control.json")
    keeper = Identity.from_json(told.get("shim"))
    status = str(told.get("status", "lost"))
    if status != "stopped" and not alive(keeper):
        status = "stopped" if control.stop or due(control) else "lost"
    code, restarts, started = told.get("exit_code"), told.get("restarts"), told.get("started_at")
    return State(
        status=status,
        restarts=restarts if isinstance(restarts, int) else 0,
        exit_code=code if isinstance(code, int) else None,
        started_at=float(started) if isinstance(started, (int, float)) else 0.0,
        stop_at=control.stop_at,
        shim=keeper,
        child=Identity.from_json(told.get("child")),
        application=Identity.from_json(told.get("application")),
    )


def due(control: shim.Control) -> bool:
    """Whether the time to stop that somebody set has come."""
    return control.stop_at is not None and time.time() >= control.stop_at


def keep(folder: str) -> State:
    """Let a shim keep this folder; harmless where one does. Returns once the child ran, or could not: the state tells."""
    if state(folder).status == "stopping":
        _await_end(folder, PATIENCE + shim.Control.read(f"{folder}/control.json").grace)
    if not state(folder).kept:
        _forget(folder)
        _start(folder)
    return _running(folder)


def _forget(folder: str) -> None:
    for name in ("control.json", "state.json"):
        with contextlib.suppress(FileNotFoundError):
            Path(folder, name).unlink()


def _start(folder: str) -> None:
    # The one before may be dead by its own word and still hold its lock for an instant.
    until = time.monotonic() + PATIENCE
    command, inherited = own_command()
    while True:
        done = subprocess.run([*command, folder], stdin=subprocess.DEVNULL, capture_output=True, check=False, pass_fds=inherited)
        if done.returncode == 0:
            return
        if done.returncode != shim.HELD or time.monotonic() > until:
            why = done.stderr.decode("utf-8", "replace").strip() or tail(f"{folder}/shim.log", 5).strip()
            raise TargetFailed(f"the shim of {folder} could not be started", why=why)
        time.sleep(POLL)


def _running(folder: str) -> State:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = state(folder)
        if found.started_at > 0 or found.restarts > 0 or not found.kept:
            return found
        time.sleep(POLL)
    raise TargetFailed(f"{folder} did not start within {PATIENCE:.0f} s", why=last_words(folder))


def last_words(folder: str) -> str:
    """The end of its log, for an error."""
    return tail(f"{folder}/log", 3).strip()


@dataclass(frozen=True)
class Ask:
    """What to ask of a shim; None leaves that wish as it is, a negative `stop_at` takes the deadline back."""

    stop: bool = False
    grace: Optional[float] = None
    stop_at: Optional[float] = None


def ask(folder: str, wish: Ask) -> None:
    """Write the wish and wake the shim up; a wish that nobody is there to hear is kept for `state`."""
    with lock(f"{folder}/control.lock"):
        record: JSONObject = read_record(f"{folder}/control.json") or {"format": 1}
        if wish.stop:
            record["stop"] = True
        if wish.grace is not None:
            record["grace"] = wish.grace
        if wish.stop_at is not None:
            record["stop_at"] = wish.stop_at if wish.stop_at >= 0 else None
        write_record(f"{folder}/control.json", record)
    keeper = state(folder).shim
    if keeper is not None and alive(keeper):
        with contextlib.suppress(ProcessLookupError):
            os.kill(keeper.pid, signal.SIGHUP)


def stop(folder: str, *, grace: float) -> None:
    """Ask it to end and wait until it has; repeating it is harmless."""
    if not state(folder).kept:
        ask(folder, Ask(stop=True))
        return
    ask(folder, Ask(stop=True, grace=grace))
    _await_end(folder, grace + PATIENCE)


def _await_end(folder: str, seconds: float) -> None:
    until = time.monotonic() + seconds
    while state(folder).kept:
        if time.monotonic() > until:
            raise TargetFailed(f"{folder} does not end", why=last_words(folder))
        time.sleep(POLL)


@contextlib.contextmanager
def lock(path: str) -> Iterator[None]:
    """Hold a lock file; whoever dies lets go of it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]+)")


def own_command() -> Tuple[List[str], Tuple[int, ...]]:
    """How this very program starts a shim, and the descriptors that it must inherit for that."""
    # Packed or not: where the package is goes first on the path, and nothing from the environment does.
    archive = getattr(shim.__loader__, "archive", None)
    package = archive if isinstance(archive, str) else str(Path(shim.__file__).resolve().parents[2])
    opened = _DESCRIPTOR.fullmatch(package)
    start = "import sys; sys.path.insert(0, sys.argv[1]); from vitrify.onhost import shim; sys.exit(shim.main(sys.argv[2]))"
    return [sys.executable, "-I", "-S", "-c", start, package], (int(opened.group(1)),) if opened else ()
