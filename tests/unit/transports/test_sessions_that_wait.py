"""A session is used again by what comes next, as long as it is there, young, and was left in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from vitrify.core.declaration import Content, Host
from vitrify.core.digest import JSONObject
from vitrify.core.event import Emit, silence
from vitrify.transports.waiting import LONGEST, Waiting

HERE, THERE = Host("here", address="here"), Host("there", address="there")


@dataclass
class Line:
    """A session that does nothing."""

    host: Host
    usable: bool = True
    closed: int = 0

    async def call(
        self, name: str, arguments: JSONObject, *, contents: Mapping[str, Content] | None = None, emit: Emit = silence
    ) -> JSONObject:
        return {}

    async def close(self) -> None:
        self.closed += 1
        self.usable = False


@dataclass
class Exchange:
    """Opens lines, and has a clock."""

    lines: list[Line] = field(default_factory=list)
    now: float = 0.0

    async def connect(self, host: Host) -> Line:
        self.lines.append(Line(host))
        return self.lines[-1]

    def waiting(self, *, at_most: int = 10) -> Waiting:
        return Waiting(self.connect, at_most=at_most, clock=lambda: self.now)


async def use(waiting: Waiting, host: Host = HERE) -> None:
    async with waiting.session(host):
        pass


def told(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def test_what_comes_next_uses_the_session_that_is_open() -> None:
    exchange = Exchange()

    async def story() -> None:
        waiting = exchange.waiting()
        await use(waiting)
        await use(waiting)
        await use(waiting, THERE)

    told(story)
    assert [(line.host, line.closed) for line in exchange.lines] == [(HERE, 0), (THERE, 0)]


def test_two_at_once_have_a_session_each_and_one_of_them_is_kept() -> None:
    exchange = Exchange()

    async def story() -> None:
        waiting = exchange.waiting()
        async with waiting.session(HERE):
            await use(waiting)
        await use(waiting)

    told(story)
    assert [line.closed for line in exchange.lines] == [1, 0]


@pytest.mark.parametrize(
    "spoil", [lambda exchange: setattr(exchange.lines[0], "usable", False), lambda exchange: setattr(exchange, "now", LONGEST)]
)
def test_one_that_ended_or_waited_for_long_is_not_used_again(spoil: Callable[[Exchange], None]) -> None:
    exchange = Exchange()

    async def story() -> None:
        waiting = exchange.waiting()
        await use(waiting)
        spoil(exchange)
        await use(waiting)

    told(story)
    assert [line.closed for line in exchange.lines] == [1, 0]


def test_one_whose_user_failed_is_ended() -> None:
    exchange = Exchange()

    async def story() -> None:
        waiting = exchange.waiting()
        with pytest.raises(ValueError, match="no"):
            async with waiting.session(HERE):
                raise ValueError("no")
        await use(waiting)

    told(story)
    assert [line.closed for line in exchange.lines] == [1, 0]


def test_no_more_than_so_many_wait_and_all_of_them_are_ended_at_last() -> None:
    exchange = Exchange()

    async def story() -> None:
        waiting = exchange.waiting(at_most=1)
        await use(waiting)
        await use(waiting, THERE)
        assert [line.closed for line in exchange.lines] == [0, 1]
        await waiting.close()

    told(story)
    assert [line.closed for line in exchange.lines] == [1, 1]
