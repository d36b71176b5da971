"""Waiting for health, and doing the same on several hosts at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from vitrify.core.declaration import Health
from vitrify.core.diagnostic import TargetFailed, VitrifyError
from vitrify.lifecycle.gate import failing
from vitrify.lifecycle.side_by_side import side_by_side


@dataclass
class Clock:
    """Time that passes while somebody sleeps."""

    time: float = 0.0

    def now(self) -> float:
        return 0.0  # stands still: whoever waits by it waits for ever

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Looks:
    """Answers one after the other; the last one again and again."""

    answers: Sequence[str]
    asked: int = field(default=0)

    async def __call__(self) -> str:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def gate(answers: Sequence[str], *, wanted: int = 2, grace: float = 1.0) -> tuple[str, int, float]:
    looks, clock = Looks(answers), Clock()
    reason = asyncio.run(failing(looks, Health(http="/", passes=wanted, interval=0.25, grace=grace), clock))
    return reason, looks.asked, clock.time


def test_health_is_so_many_passes_in_a_row() -> None:
    assert gate(["", "down", "", ""]) == ("", 4, 0.75)


def test_a_failing_look_counts_only_once_the_grace_is_over() -> None:
    assert gate(["down"], grace=1.0) == ("down", 6, 1.25)


def test_passes_that_have_begun_may_end_after_the_grace() -> None:
    assert gate(["down", "", ""], grace=0.3) == ("", 3, 0.5)


def test_the_jobs_answer_in_their_order_and_an_error_is_an_answer() -> None:
    error = TargetFailed("no")

    async def good() -> int:
        await asyncio.sleep(0.001)
        return 1

    async def bad() -> int:
        raise error

    assert asyncio.run(side_by_side([good, bad, good], at_most=3)) == [1, error, 1]


@pytest.mark.parametrize("at_most", [1, 2, 5])
def test_no_more_run_at_once_than_may(at_most: int) -> None:
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running -= 1

    asyncio.run(side_by_side([work] * 5, at_most=at_most))
    assert most == at_most


def test_a_mistake_is_not_an_answer() -> None:
    async def mistaken() -> int:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(side_by_side([mistaken], at_most=1))
    assert not isinstance(raised.value.exceptions[0], VitrifyError)
