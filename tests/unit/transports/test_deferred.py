from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from vitrify.core.declaration import Content
from vitrify.core.digest import JSONObject
from vitrify.core.event import Emit, silence
from vitrify.transports.deferred import DeferredSession


@dataclass
class Opened:
    """A session that tells what happened to it."""

    told: list[str] = field(default_factory=list)

    async def call(
        self, name: str, arguments: JSONObject, *, contents: Mapping[str, Content] | None = None, emit: Emit = silence
    ) -> JSONObject:
        await asyncio.sleep(0)
        self.told.append(name)
        return {"name": name}

    async def close(self) -> None:
        self.told.append("close")


def test_nothing_is_opened_before_the_first_call_and_nothing_closed_that_was_not_opened() -> None:
    found = Opened()

    async def opened() -> Opened:
        found.told.append("open")
        return found

    asyncio.run(DeferredSession(opened).close())

    assert found.told == []


def test_many_callers_at_once_open_it_once() -> None:
    found = Opened()

    async def opened() -> Opened:
        await asyncio.sleep(0)
        found.told.append("open")
        return found

    async def calls() -> list[JSONObject]:
        session = DeferredSession(opened)
        answers = await asyncio.gather(*(session.call(name, {}) for name in ("one", "two")))
        await session.close()
        return answers

    assert asyncio.run(calls()) == [{"name": "one"}, {"name": "two"}]
    assert found.told == ["open", "one", "two", "close"]
