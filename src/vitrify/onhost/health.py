"""One look at whether an instance serves: http, tcp or a command, never longer than its timeout, the reason in words."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from typing import List

from vitrify.core.digest import JSONObject
from vitrify.core.system import Command, Target
from vitrify.onhost.context import Context
from vitrify.onhost.expecting import differs, parsed
from vitrify.onhost.scope import Here

_SLOW = (socket.timeout, TimeoutError)

LARGEST = 64 << 10
"""Bytes of an answer that are looked at: what is expected of it stands among them."""


def look(health: JSONObject, *, port: int) -> str:
    """Nothing where the instance passes, else why not. `health` is `Health.to_json()`, with the `host` that is asked for, if any."""
    seconds = _number(health, "timeout_ms", 2000) / 1000
    command = health.get("command")
    if isinstance(command, list) and command:
        return _command([str(part).replace("${instance.port}", str(port)) for part in command], seconds)
    path = str(health.get("http") or "")
    if path:
        return _http(path, port, health={**health, "status": _number(health, "status", 200)}, seconds=seconds)
    tcp = health.get("tcp")
    return _tcp(tcp if isinstance(tcp, int) and tcp else port, seconds)


def healthy(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `host.healthy`: one look at what serves on a host; `reason` is "" where it passes.

    In a folder nothing runs: there only a command is asked, inside of it.
    """
    here, health, port = Here.at(context, arguments), arguments.get("health"), arguments.get("port")
    asked = health if isinstance(health, dict) else {}
    if here.scope.target is Target.HOST:
        return {"reason": look(asked, port=port if isinstance(port, int) else 0)}
    command = asked.get("command")
    if not (isinstance(command, list) and command):
        return {"reason": ""}
    ended = here.system.run(Command(tuple(map(str, command)), timeout=_number(asked, "timeout_ms", 2000) / 1000))
    return {"reason": "" if ended.code == 0 else f"{command[0]} ended with {ended.code}"}


def _number(health: JSONObject, name: str, default: int) -> int:
    value = health.get(name)
    return value if isinstance(value, int) else default


def _tcp(port: int, seconds: float) -> str:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=seconds).close()
    except OSError as error:
        return f"nothing listens on 127.0.0.1:{port} ({_reason(error)})"
    return ""


def _http(path: str, port: int, *, health: JSONObject, seconds: float) -> str:
    asked, host = f"GET {path}", str(health.get("host") or "")
    if any(character in path + host for character in "\r\n "):
        return f"{asked!r} is not a request"
    try:
        status, headers, body = parsed(_ask(path, port, host=host or f"127.0.0.1:{port}", until=time.monotonic() + seconds))
    except OSError as error:
        slow = isinstance(error, _SLOW)
        return f"{asked}: {f'no whole answer within {seconds:g} s' if slow else _reason(error)}"
    except ValueError:
        return f"{asked}: the answer is not HTTP"
    reason = differs(health, status=status, headers=headers, body=body)
    return f"{asked}: {reason}" if reason else ""


def _ask(path: str, port: int, *, host: str, until: float) -> bytes:
    """The answer's beginning, once the whole answer came: the connection ends it, so that a half answer is none."""
    with socket.create_connection(("127.0.0.1", port), timeout=max(0.001, until - time.monotonic())) as connection:
        # HTTP/1.0 with a Host: no chunks and no keep-alive, so the end of the connection is the end of the answer.
        request = f"GET {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: vitrify-health\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode("latin-1", "replace"))
        found = b""
        while True:
            # One deadline over all reads: a server that drips a byte a second must not hold the gate open.
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            connection.settimeout(left)
            data = connection.recv(1 << 16)
            if not data:
                return found
            found += data[: max(0, LARGEST - len(found))]


def _command(argv: List[str], seconds: float) -> str:
    spoken = argv[0]
    try:
        started = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    except OSError as error:
        return f"{spoken} cannot be run ({_reason(error)})"
    try:
        output, _ = started.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.communicate()
        return f"{spoken} did not end within {seconds:g} s"
    if started.returncode == 0:
        return ""
    words = output.decode("utf-8", "replace").strip().splitlines()[-1:]
    return f"{spoken} ended with {started.returncode}" + (f": {words[0][:200]}" if words else "")


def _reason(error: OSError) -> str:
    return "timed out" if isinstance(error, _SLOW) else (os.strerror(error.errno) if error.errno else str(error))


CALLS = {"host.healthy": healthy}
