"""Does the same with several things at once; the first failure ends them all, and is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from vitrify.stores.registry.pace import Pace

AT_ONCE: Final = 4

Given = TypeVar("Given")
Got = TypeVar("Got")


def together(work: Callable[[Given], Got], things: Iterable[Given], *, pace: Pace) -> list[Got]:
    """What `work` says of each thing, in order. Where one fails, or somebody interrupts, the others are told to stop."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="blob") as pool:
        futures = [pool.submit(work, thing) for thing in things]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            pace.stopped.set()
            raise
        failed = [future for future in futures if future.done() and future.exception()]
        if failed:
            pace.stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
        return [future.result() for future in [*failed, *futures]]
