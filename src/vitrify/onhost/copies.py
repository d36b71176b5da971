"""Divides work that only reads between the cores of a target: copies of this process, each with a part, that hand back and end."""

from __future__ import annotations

import marshal
import os
import signal
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

from vitrify.core.diagnostic import VitrifyError
from vitrify.onhost.child import die_with_parent

MOST = 8
"""Reading is soon bound by the disk: more processes than this do not help."""

_OF_ONE_THREAD = 3
"""Names of a folder with one folder in it: its own, its dot, and the dots of the one within."""

Answer = Dict[str, Tuple[Any, ...]]
"""What a copy hands back: plain values by name."""


class CopyLost(VitrifyError):
    """A process ended without its answer; its part has to be done again."""


def cores() -> int:
    """How many processes to divide work between: 1 where this process has threads, of which no copy would know."""
    try:
        usable, alone = len(os.sched_getaffinity(0)), Path("/proc/self/task").stat().st_nlink == _OF_ONE_THREAD
    except (AttributeError, OSError):
        return 1
    return min(usable, MOST) if alone else 1


class Copies:
    """The processes that were started, and what they answer. None of them outlives this one."""

    def __init__(self) -> None:
        self._running: List[Tuple[int, int]] = []

    def start(self, work: Callable[[], Answer]) -> None:
        """Do this work in a copy of this process. OSError where no process can be started."""
        parent = os.getpid()
        reading, writing = os.pipe()
        try:
            process = os.fork()
        except OSError:
            os.close(reading)
            raise
        else:
            if process == 0:
                _answer(work, writing, parent)
        finally:
            os.close(writing)
        self._running.append((process, reading))

    def answers(self) -> List[Answer]:
        """What each of them found. CopyLost where one has no answer."""
        found: List[Answer] = []
        while self._running:
            process, reading = self._running[0]
            with os.fdopen(reading, "rb", closefd=False) as stream:
                told = stream.read()
            if not self._ended(process, reading):
                raise CopyLost("a process that helped has ended without an answer")
            found.append(marshal.loads(told))  # noqa: S302  our own copy wrote it
        return found

    def _ended(self, process: int, reading: int) -> bool:
        _, status = os.waitpid(process, 0)
        os.close(reading)
        self._running.remove((process, reading))
        return status == 0

    def stop(self) -> None:
        """End those that still run."""
        while self._running:
            process, reading = self._running[0]
            os.kill(process, signal.SIGKILL)
            self._ended(process, reading)


class Shares:
    """Numbers that processes draw from one hat: each of them goes to one process, whichever is free."""

    def __init__(self, count: int) -> None:
        self._reading, writing = os.pipe()
        with os.fdopen(writing, "wb") as hat:
            hat.write(bytes(range(min(count, _DRAWN))))
        self._count = count

    def mine(self) -> Iterator[int]:
        """Those that fall to this process, until none are left."""
        while drawn := os.read(self._reading, 1):
            yield from range(drawn[0], self._count, _DRAWN)

    def close(self) -> None:
        """Nobody draws any more."""
        os.close(self._reading)


_DRAWN = 256
"""Numbers beyond these come with one of them."""


def _answer(work: Callable[[], Answer], writing: int, parent: int) -> None:
    """Never returns: this is the copy, and nothing that this process was about to do is its business."""
    code = 1
    try:
        die_with_parent()
        if os.getppid() == parent:
            with os.fdopen(writing, "wb") as stream:
                stream.write(marshal.dumps(work()))
            code = 0
    finally:
        os._exit(code)
