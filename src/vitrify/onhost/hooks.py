"""Runs a hook on this host, or inside an instance as its own user, and tells each line as it comes. The payload's `hook.run`."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from typing import IO, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Emit, Event, Stage
from vitrify.onhost.context import Context
from vitrify.onhost.faults import failed
from vitrify.onhost.programs import PATH, dying_with_parent, in_memory, no_program

LONGEST_LINE = 4096
"""Bytes of a line that are told; what is longer is cut into several."""
LAST_LINES = 10
_LOOK = 0.05
"""Seconds between two looks whether a program that writes nothing has ended."""
_HIDDEN = "(secret)"


def run(context: Context, arguments: JSONObject) -> JSONObject:
    """Run `argv` to its end: its exit `code`, null where it took too long, and the last lines that it `said`.

    It reads `stdin`, and has `environment` and nothing else of ours; values of its variables named in `secrets` are never told.
    With `id` it runs inside that instance of `home`. TargetFailed where it cannot be started.
    """
    given = _texts_of(arguments.get("environment"))
    argv, environment = _inside(arguments, given) if "id" in arguments else _here(arguments, given)
    hidden = [given[name] for name in _words(arguments.get("secrets")) if given.get(name)]
    told = _Told(context.emit, str(arguments.get("label", "")), hidden)
    with in_memory(str(arguments.get("stdin", "")).encode()) as stdin:
        process = _started(argv, environment, str(arguments.get("folder") or "/"), stdin)
        try:
            code = _followed(process, told.line, seconds=_seconds(arguments.get("timeout_ms")))
        finally:
            _ended(process)
    return {"code": code, "said": list(told.last)}


class _Told:
    """Tells each line, with what is secret taken out; keeps the last ones."""

    def __init__(self, emit: Emit, label: str, hidden: List[str]) -> None:
        self._emit, self._label, self._hidden = emit, label, hidden
        self.last: List[JSON] = []

    def line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        for secret in self._hidden:
            text = text.replace(secret, _HIDDEN)
        self.last = [*self.last, text][-LAST_LINES:]
        self._emit(Event("hook", Stage.PROGRESS, self._label, text))


def _here(arguments: JSONObject, given: Mapping[str, str]) -> Tuple[List[str], Dict[str, str]]:
    """A program of this host. One that is named by a path is looked for from its folder."""
    argv, folder = _words(arguments.get("argv")), str(arguments.get("folder") or "/")
    home = "/root" if os.geteuid() == 0 else os.path.expanduser("~")
    environment = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": home, **given}
    named = os.path.join(folder, argv[0]) if "/" in argv[0] else argv[0]
    program = shutil.which(named, path=environment["PATH"])
    if program is None:
        raise no_program(argv[0])
    return [program, *argv[1:]], environment


def _inside(arguments: JSONObject, given: Mapping[str, str]) -> Tuple[List[str], Dict[str, str]]:
    from vitrify.onhost import entering

    return entering.as_process(str(arguments["home"]), str(arguments["id"]), _words(arguments.get("argv")), given)


def _started(argv: List[str], environment: Mapping[str, str], folder: str, stdin: int) -> subprocess.Popen[bytes]:
    if not os.path.isdir(folder):
        raise TargetFailed(f"{argv[0]} cannot be started", why=f"there is no folder {folder} to run it in")
    try:
        return subprocess.Popen(
            argv,
            cwd=folder,
            env=dict(environment),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=dying_with_parent(),  # noqa: PLW1509  the payload has one thread
        )
    except OSError as error:
        raise failed(error, f"{argv[0]} cannot be started") from error


def _followed(process: subprocess.Popen[bytes], say: Callable[[bytes], None], *, seconds: float) -> Optional[int]:
    """Its exit code; None where it did not end in time. What it leaves behind and keeps its output open is not waited for."""
    until, rest, output = time.monotonic() + seconds, b"", _output(process)
    open_still = True
    while process.poll() is None or (open_still and _readable(output, 0)):
        if time.monotonic() > until:
            return None
        if not open_still:
            time.sleep(_LOOK)
        elif _readable(output, _LOOK):
            part = os.read(output.fileno(), 65536)
            open_still, rest = bool(part), rest + part
            *whole, rest = _lines(rest)
            for line in whole:
                say(line)
    if rest:
        say(rest)
    return process.wait()


def _lines(text: bytes) -> Iterator[bytes]:
    """The lines that are whole, and what comes after them."""
    *whole, rest = text.split(b"\n")
    for line in whole:
        yield from (line[start : start + LONGEST_LINE] for start in range(0, len(line) or 1, LONGEST_LINE))
    while len(rest) > LONGEST_LINE:
        yield rest[:LONGEST_LINE]
        rest = rest[LONGEST_LINE:]
    yield rest


def _readable(output: IO[bytes], seconds: float) -> bool:
    return bool(select.select([output], [], [], seconds)[0])


def _output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    if process.stdout is None:
        raise AssertionError("its output is a pipe")
    return process.stdout


def _ended(process: subprocess.Popen[bytes]) -> None:
    """Where it took too long, or nobody waits any more, nothing of it goes on. What one that ended left behind is its own affair."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    _output(process).close()


def _seconds(value: JSON) -> float:
    return value / 1000 if isinstance(value, int) else 60.0


def _words(value: JSON) -> List[str]:
    return [str(word) for word in value] if isinstance(value, list) else []


def _texts_of(value: JSON) -> Dict[str, str]:
    return {name: str(text) for name, text in value.items()} if isinstance(value, dict) else {}


CALLS: Dict[str, Callable[[Context, JSONObject], JSONObject]] = {"hook.run": run}
