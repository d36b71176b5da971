"""The same work on several hosts at once: what one of them cannot do does not stop the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from vitrify.core.diagnostic import VitrifyError

Result = TypeVar("Result")


async def side_by_side(jobs: Sequence[Callable[[], Awaitable[Result]]], *, at_most: int) -> list[Result | VitrifyError]:
    """Do all of them, so many at a time; each answers with its result or with its error, in the order of the jobs.

    Cancelled, all that is under way is cancelled, and has ended once this raises.
    """
    turns = asyncio.Semaphore(at_most)

    async def one(job: Callable[[], Awaitable[Result]]) -> Result | VitrifyError:
        async with turns:
            try:
                return await job()
            except VitrifyError as error:
                return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(job)) for job in jobs]
    return [task.result() for task in tasks]
