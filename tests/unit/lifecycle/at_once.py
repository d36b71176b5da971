"""No threads where nothing waits: what a story would have one do is done there and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class AtOnce(ThreadPoolExecutor):
    """Takes the place of an event loop's threads: to start one takes longer than all that it would do in memory."""

    def submit(self, work: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """The work, done."""
        done: Future[T] = Future()
        try:
            done.set_result(work(*arguments, **named))
        except Exception as error:  # noqa: BLE001  it is for whoever waits for the work
            done.set_exception(error)
        return done


def run(story: Coroutine[object, object, T]) -> T:
    """As `asyncio.run`, without threads."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(AtOnce())
        return runner.run(story)
