"""A Python that has vitrify loaded, and runs command lines: each in a process of its own, forked off this one.

A command that starts cold spends most of its time on loading the same files again. Forked, it is the same program in a process that
can be killed like any other, with the environment, folder, streams and namespaces that it was asked to have.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

import vitrify
from vitrify.cli.main import main

LARGEST = 1 << 17
"""Bytes of a request."""
APART = ("testing", "cli.showcase", "project.starter", "declare", "__main__")
"""What no command loads."""
LATER = ("jinja2.sandbox", "cryptography.hazmat.primitives.asymmetric.ed25519", "httpx2", "rich.console", "sqlite3", "rfc8785")
"""What commands load of others, once they need it."""


def serve(channel: socket.socket) -> NoReturn:
    """Run what is asked for until nobody asks any more. A request's files are its three streams, and where its end is told."""
    running: dict[int, tuple[int, int]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not channel:
                    _tell(*running.pop(key.fd))
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    continue
                message, files, _, _ = socket.recv_fds(channel, LARGEST, 4)
                if not message:
                    sys.exit()
                pid = os.fork()
                if not pid:
                    _become(json.loads(message), files)
                watched = os.pidfd_open(pid)
                running[watched] = (pid, files[3])
                selector.register(watched, selectors.EVENT_READ)
                os.write(files[3], f"{pid}\n".encode())
                for file in files[:3]:
                    os.close(file)


def _tell(pid: int, end: int) -> None:
    """How a command ended."""
    os.write(end, f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
    os.close(end)


def _become(asked: dict[str, Any], files: Sequence[int]) -> NoReturn:
    """The command line, from here on; it ends this process."""
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    os.closerange(3, 4096)
    if asked["inside"]:
        _enter(asked["inside"], asked["namespaces"])
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    sys.argv[:] = ["vitrify", *asked["words"]]
    try:
        main()
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)
    os._exit(1)


def _enter(pid: int, namespaces: Sequence[str]) -> None:
    """Go on in another process's namespaces; this one stays behind, and ends as the other does."""
    c = ctypes.CDLL(None, use_errno=True)
    kept = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY) for name in namespaces]
    for file in kept:
        if c.setns(file, 0):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(file)
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code < 0:
            signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
            os.kill(os.getpid(), -code)
        os._exit(code)


def load() -> None:
    """Load what commands load, and make what they would make of it first."""
    for module in pkgutil.walk_packages(vitrify.__path__, "vitrify."):
        if not module.name.removeprefix("vitrify.").startswith(APART):
            importlib.import_module(module.name)
    for name in LATER:
        importlib.import_module(name)
    from vitrify.project.part import Part

    for part in Part.__subclasses__():
        part.model_rebuild()
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    load()
    serve(socket.socket(fileno=int(sys.argv[1])))
