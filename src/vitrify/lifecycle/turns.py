"""One at a time: what stories that are told side by side in this process must not do at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A lock for each name. Processes keep out of each other's way by leases instead."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def one_at_a_time(self, name: str) -> AsyncIterator[None]:
        """Wait until nobody else is at this."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            yield
