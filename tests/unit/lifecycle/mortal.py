"""A process that may end right behind anything that it changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from vitrify.testing.memory_state import MemoryStateStore

CHANGES = frozenset(
    {"launch", "stop", "stop_later", "discard", "ensure", "switch", "pause", "resume", "release", "begin", "advance", "finish", "append"}
)
"""What changes something that outlives the process."""


class Mortal:
    """A port as a process sees it that may end right behind any call that changed something: `done` hears of each."""

    def __init__(self, port: object, done: Callable[[str], None]) -> None:
        self._port, self._done = port, done

    def __getattr__(self, name: str) -> object:
        found = getattr(self._port, name)
        if name not in CHANGES or (isinstance(self._port, MemoryStateStore) and name == "release"):
            return found
        return self._waited(found) if asyncio.iscoroutinefunction(found) else self._called(found)

    def _called(self, act: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **named: object) -> object:
            answer = act(*given, **named)
            self._done(act.__name__)
            return answer

        return call

    def _waited(self, act: Callable[..., Coroutine[object, object, object]]) -> Callable[..., Coroutine[object, object, object]]:
        async def call(*given: object, **named: object) -> object:
            answer = await act(*given, **named)
            self._done(act.__name__)
            return answer

        return call
