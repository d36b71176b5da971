"""The command line as tests run it: the real one, in a process of its own, but without the time that loading it takes (`loaded`)."""

from __future__ import annotations

import atexit
import functools
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

GUEST = ("mnt", "uts", "ipc", "net", "pid")
"""The namespaces of a machine."""


def run(
    words: Sequence[str], *, cwd: str | Path, environment: Mapping[str, str], inside: int = 0, timeout: float = 90
) -> subprocess.CompletedProcess[str]:
    """Run `vitrify WORDS` to its end; `inside` is a process of the machine that it is run on, where that is not this one."""
    asked = {"words": words, "cwd": str(cwd), "environment": {**environment}, "inside": inside, "namespaces": GUEST if inside else ()}
    reading, writing = zip(*(os.pipe() for _ in range(3)), strict=True)
    nothing = os.open(os.devnull, os.O_RDONLY)
    socket.send_fds(_loaded(), [json.dumps(asked).encode()], [nothing, *writing])
    for file in (nothing, *writing):
        os.close(file)
    out, err, told = _read(reading, within=timeout)
    _, code = told.split()
    return subprocess.CompletedProcess(["vitrify", *words], int(code), out, err)


def _read(files: Sequence[int], *, within: float) -> list[str]:
    """All that comes until the last one is closed; TimeoutExpired, and the command is killed, where that takes too long."""
    deadline = time.monotonic() + within
    said = dict.fromkeys(files, b"")
    with selectors.DefaultSelector() as selector:
        for file in files:
            selector.register(file, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(deadline - time.monotonic())
            if not ready and time.monotonic() > deadline:
                os.kill(int(said[files[-1]].split()[0]), signal.SIGKILL)
                raise subprocess.TimeoutExpired("vitrify", within, *(said[file] for file in files[:2]))
            for key, _ in ready:
                if part := os.read(key.fd, 1 << 16):
                    said[key.fd] += part
                else:
                    selector.unregister(key.fd)
                    os.close(key.fd)
    return [said[file].decode() for file in files]


@functools.cache
def _loaded() -> socket.socket:
    """The way to the process that commands are forked off, one for each process that runs tests."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        program = [sys.executable, "-P", str(Path(__file__).with_name("loaded.py")), str(theirs.fileno())]
        server = subprocess.Popen(program, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True)

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours
