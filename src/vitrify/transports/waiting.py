"""Sessions that outlive one story of a command: what looked at a host is still there when the host is to be changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from vitrify.core.declaration import Host
from vitrify.ports import Session


class Lasting(Session, Protocol):
    """A session that knows whether it is still there."""

    @property
    def usable(self) -> bool:
        """Whether the process is there, as far as one can tell without asking it."""


Connect: TypeAlias = Callable[[Host], Awaitable[Lasting]]

LONGEST = 60.0
"""Seconds after which a session that waited is not used any more: whoever read a plan for long may have lost the connection."""


@dataclass
class Waiting:
    """At most so many sessions, one for each host, which nobody uses at the moment. Belongs to one event loop."""

    connect: Connect
    at_most: int
    clock: Callable[[], float]
    _since: dict[Host, tuple[float, Lasting]] = field(default_factory=dict)

    @asynccontextmanager
    async def session(self, host: Host) -> AsyncIterator[Lasting]:
        """The one that waits, if it can still be used, or a new one; it waits again once its user is done, unless that failed."""
        session = await self._waiting(host) or await self.connect(host)
        try:
            yield session
        except BaseException:
            await session.close()
            raise
        if host in self._since or len(self._since) >= self.at_most or not session.usable:
            await session.close()
        else:
            self._since[host] = (self.clock(), session)

    async def _waiting(self, host: Host) -> Lasting | None:
        since, session = self._since.pop(host, (0.0, None))
        if session is None or (session.usable and self.clock() - since < LONGEST):
            return session
        await session.close()
        return None

    async def close(self) -> None:
        """End all that wait, side by side."""
        ending = [session for _, session in self._since.values()]
        self._since.clear()
        await asyncio.gather(*(session.close() for session in ending))
