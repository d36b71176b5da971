"""A session that is opened when something is asked of it, and not before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Self

from vitrify.core.declaration import Content
from vitrify.core.digest import JSONObject
from vitrify.core.event import Emit, silence
from vitrify.ports import Session


class LazySession:
    """A `Session` that opens another one at its first call. Used as a context: leaving it closes what was opened."""

    def __init__(self, begin: Callable[[], AbstractAsyncContextManager[Session]]) -> None:
        self._begin = begin
        self._opened: Session | None = None
        self._open = AsyncExitStack()
        self._opening = asyncio.Lock()

    async def call(
        self, name: str, arguments: JSONObject, *, contents: Mapping[str, Content] | None = None, emit: Emit = silence
    ) -> JSONObject:
        """Run the call, once there is somebody to run it."""
        async with self._opening:  # several may be the first
            if self._opened is None:
                self._opened = await self._open.enter_async_context(self._begin())
        return await self._opened.call(name, arguments, contents=contents, emit=emit)

    async def close(self) -> None:
        """Close what was opened; repeating it is harmless."""
        self._opened = None
        await self._open.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
