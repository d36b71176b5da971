"""A line to a machine that is as long as one likes: a TCP proxy that delays what it passes on, and counts it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

Address = tuple[str, int]


@dataclass
class Counted:
    """What went by: bytes each way, connections, and how often the direction of the talk changed."""

    up: int = 0
    down: int = 0
    flips: int = 0
    connections: int = 0


@dataclass
class Distance:
    """Proxies from near addresses to far ones, with half a round trip each way; they run in a thread of their own."""

    delay: float
    counted: Counted = field(default_factory=Counted)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, pairs: Sequence[tuple[Address, Address]]) -> None:
        """Listen at the first address of each pair, for the second."""
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        for near, far in pairs:
            asyncio.run_coroutine_threadsafe(self._listen(near, far), self._loop).result(5)

    def taken(self) -> Counted:
        """What was counted since the last call."""
        found, self.counted = self.counted, Counted()
        return found

    async def _listen(self, near: Address, far: Address) -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.counted.connections += 1
            there_reader, there_writer = await asyncio.open_connection(*far)
            last = ["up"]
            await asyncio.gather(self._pass(reader, there_writer, "up", last), self._pass(there_reader, writer, "down", last))

        await asyncio.start_server(accept, *near)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, way: str, last: list[str]) -> None:
        """Each piece leaves half a round trip after it came, however many are under way."""
        while True:
            try:
                data = await source.read(65536)
            except ConnectionError:
                data = b""
            due = self._loop.time() + self.delay / 2
            if data:
                setattr(self.counted, way, getattr(self.counted, way) + len(data))
                self.counted.flips += last[0] != way
                last[0] = way
            self._loop.call_at(due, _deliver, target, data)
            if not data:
                return


def _deliver(target: asyncio.StreamWriter, data: bytes) -> None:
    if not data:
        target.close()
    elif not target.is_closing():
        target.write(data)
