"""`vitrify serve` as a process: alone for its project, with the declaration as it is now, and a place where it tells how things stand."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vitrify.app import started_by
from vitrify.app.endpoint import UNIX, answering
from vitrify.app.remembering import prepare
from vitrify.app.serve_pages import pages
from vitrify.app.wiring import Wiring
from vitrify.core.asked import Scope
from vitrify.core.diagnostic import Busy, VitrifyError
from vitrify.core.event import Stage
from vitrify.core.served import Served
from vitrify.ledger.entry import timestamp
from vitrify.lifecycle import duties
from vitrify.lifecycle import serve as story
from vitrify.lifecycle.duty import Charge
from vitrify.lifecycle.serve_board import Board
from vitrify.project.choose import choose
from vitrify.project.touched import signature

_SHARE = 100.0
"""Whether something was touched is asked so seldom that it costs at most a hundredth of the time."""


class Readings:
    """The declaration as it is now. One that is invalid is told once, and the last valid one counts until it is mended."""

    def __init__(self, scope: Scope, begin: Callable[[Scope], Wiring], *, environ: Mapping[str, str]) -> None:
        self.scope, self._begin, self._environ = scope, begin, environ
        self.wiring = begin(scope)
        self.board = Board(started_at=time.time())
        self._former: list[Wiring] = []
        self._charge: Charge | None = None
        self._seen, self._look_at = "", 0.0

    async def __call__(self, *, idle: bool) -> Charge:
        """What is to be looked after; read anew where a file of the project was touched."""
        self.say(started_by.ALIVE)
        if idle:
            await self._let_go()
        if not self._seen:
            self._seen = self._signature()
        elif time.monotonic() >= self._look_at and self._touched():
            self._charge = self._anew(self.last)
        return self.last

    @property
    def last(self) -> Charge:
        """What was read last."""
        if self._charge is None:
            self._charge = self._read(self.wiring)
        return self._charge

    async def close(self) -> None:
        """End what is held open; wait a little for notices that are still on their way, and have witnesses cosign what was entered."""
        await self._let_go()
        await self.wiring.hang_up()
        self.wiring.see_told()
        self.wiring.witnessed()

    def say(self, *states: str) -> None:
        """Tell whoever started the process."""
        started_by.tell(self._environ, *states)

    def _signature(self) -> str:
        # What vitrify itself writes is no change of the project, even if it is kept inside of it.
        return signature(str(self.wiring.folder), but=str(self.wiring.home))

    def _touched(self) -> bool:
        begun = time.monotonic()
        now = self._signature()
        self._look_at = begun + (time.monotonic() - begun) * _SHARE
        before, self._seen = self._seen, now
        return before != now

    def _anew(self, last: Charge) -> Charge:
        wiring = self._begin(self.scope)
        try:
            found = self._read(wiring)
        except VitrifyError as error:
            self.board.valid = False
            first = error.diagnostics[0]
            told = f"until it is mended, what was declared before counts: {first}"
            last.world.say("serve.declaration", first.where.file if first.where else "", told, stage=Stage.FAILED)
            return last
        self._former.append(self.wiring)
        self.wiring, self.board.valid = wiring, True
        found.world.say("serve.declaration", wiring.declaration.project, f"read again: looks after {named(found)}", stage=Stage.DONE)
        self.say(started_by.status(f"looks after {named(found)}"))
        return found

    def _read(self, wiring: Wiring) -> Charge:
        declaration = wiring.declaration
        servers = choose(declaration, limit=self.scope.limit, exclude=self.scope.exclude)
        prepare(wiring.world)
        return Charge(servers, declaration.schedule, wiring.world, self.board, self.scope.parallel)

    async def _let_go(self) -> None:
        while self._former:
            await self._former.pop().hang_up()


def named(charge: Charge) -> str:
    """Who is looked after, in words."""
    return ", ".join(server.name for server in charge.servers)


async def once(readings: Readings) -> Served:
    """One turn of each duty."""
    charge = await readings(idle=True)
    with _alone(_home(readings)):
        try:
            return await story.once(duties.ALL, charge, parallel=readings.scope.parallel)
        finally:
            await readings.close()


async def forever(readings: Readings, *, listen: str) -> Served:
    """Until it is cancelled."""
    charge = await readings(idle=True)
    home = _home(readings)
    with _alone(home):
        try:
            asked = pages(readings.board, lambda: readings.last)
            async with answering(listen or f"{UNIX}{home / 'serve.sock'}", asked) as address:
                told = f"looks after {named(charge)}; tells how they are at {address}"
                charge.world.say("serve", readings.wiring.declaration.project, told)
                readings.say(started_by.READY, started_by.status(told))
                await story.serve(duties.ALL, readings, parallel=readings.scope.parallel)
        finally:
            readings.say(started_by.ENDING)
            await readings.close()
    return Served(())


def _home(readings: Readings) -> Path:
    return readings.wiring.home / "projects" / readings.wiring.world.project_id


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """`Busy` where another process serves this project. The kernel gives it back with the process, however that ends."""
    descriptor = os.open(home / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            why = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
            raise Busy("another `vitrify serve` looks after this project", why=why, hint="one is enough; end that one first") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}, since {timestamp(time.time())}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
