"""Reaches the machine that vitrify itself runs on, and folders on it: the payload is a child process, on two pipes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import TargetUnreachable
from vitrify.onhost.failpoint import LOG, WHERE
from vitrify.payload import Payload, pack, unpacked
from vitrify.transports.channel import FramedSession, Program, started

PYTHON = "/usr/bin/python3"


class LocalTransport:
    """Starts the payload on this machine. `home` is the folder that keeps the packed payload."""

    def __init__(self, home: Path, *, environ: Mapping[str, str], pythons: Sequence[str] = (PYTHON, sys.executable)) -> None:
        self._folder = home / "payload"
        self._environ = {"PATH": environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}
        self._environ |= {name: environ[name] for name in ("HOME", "TMPDIR", WHERE, LOG) if name in environ}
        self._pythons = tuple(dict.fromkeys(pythons))

    @cached_property
    def _packed(self) -> Payload:
        return pack()

    @property
    def payload(self) -> str:
        """The digest of the program that sessions run."""
        return self._packed.digest

    async def connect(self, host: Host, *, within: Sequence[str] = ()) -> FramedSession:
        """A session; the first Python that runs the payload is taken. `within` are words that its own come after."""
        payload = unpacked(self._packed, self._folder)
        reasons: list[str] = []
        for python in self._pythons:
            try:
                return await self._start((*within, python, "-I", "-S", str(payload)))
            except TargetUnreachable as error:
                reasons.append(f"{python}: {error.diagnostics[0].why}")
        raise TargetUnreachable(f"the payload does not run on {host.name}", why="; ".join(reasons), hint="install Python 3.9 or newer")

    async def _start(self, argv: Sequence[str]) -> FramedSession:
        try:
            process = await started(argv, environ=self._environ)
        except OSError as error:
            raise TargetUnreachable("the payload cannot be started", why=str(error.strerror)) from error
        session = FramedSession(Program(process), lost=_lost)
        await session.greet()
        return session


def _lost(code: int | None, said: Sequence[str]) -> TargetUnreachable:
    ended = f"killed by signal {-code}" if code is not None and code < 0 else f"ended with {code}"
    words = "; ".join(said[-3:])
    return TargetUnreachable(
        "the payload ended in the middle of its work",
        why=f"it was {ended}" + (f": {words}" if words else ""),
        hint="run the same command again: it finishes what was begun",
    )
