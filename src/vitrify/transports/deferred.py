"""A session that is opened when the first call is made: what finds nothing to do starts no program."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from vitrify.core.event import Emit, silence

if TYPE_CHECKING:
    from vitrify.core.declaration import Content
    from vitrify.core.digest import JSONObject
    from vitrify.ports import Session


class DeferredSession:
    """A `Session` on whatever `opened` gives. It is opened once, however many call at the same time."""

    def __init__(self, opened: Callable[[], Awaitable[Session]]) -> None:
        self._open = opened
        self._session: Session | None = None
        self._opening = asyncio.Lock()

    async def call(
        self, name: str, arguments: JSONObject, *, contents: Mapping[str, Content] | None = None, emit: Emit = silence
    ) -> JSONObject:
        """Open the session where it is not open yet, and call there."""
        async with self._opening:
            if self._session is None:
                self._session = await self._open()
        return await self._session.call(name, arguments, contents=contents, emit=emit)

    async def close(self) -> None:
        """Close what was opened."""
        if self._session is not None:
            await self._session.close()
