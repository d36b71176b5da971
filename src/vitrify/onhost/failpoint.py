"""Ends the process at a chosen point, for crash tests: a real SIGKILL, after which nothing more is written."""

from __future__ import annotations

import os
import signal
from typing import Dict, Mapping

from vitrify.core.step import Reached, carry_on

WHERE, LOG = "VITRIFY_FAILPOINT", "VITRIFY_FAILPOINT_LOG"


def from_environment(environ: Mapping[str, str]) -> Reached:
    """What the environment asks for: `NAME` or `NAME#3` (the third time) to die at, a file to log each point to, or nothing."""
    where, log = environ.get(WHERE, ""), environ.get(LOG, "")
    if not where and not log:
        return carry_on
    name, _, count = where.partition("#")
    return Failpoint(name, times=int(count or 1), log=log)


class Failpoint:
    """Counts how often each point was reached, and dies at the chosen one."""

    def __init__(self, name: str, *, times: int, log: str) -> None:
        self._name = name
        self._times = times
        self._log = log
        self._seen: Dict[str, int] = {}

    def __call__(self, point: str) -> None:
        """Note the point; does not return from the chosen one."""
        self._seen[point] = self._seen.get(point, 0) + 1
        if self._log:
            descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, f"{point}\n".encode())
            finally:
                os.close(descriptor)
        if point == self._name and self._seen[point] == self._times:
            os.kill(os.getpid(), signal.SIGKILL)
