"""Time and chance, as the wiring gives them to the stories."""

from __future__ import annotations

import asyncio
import secrets
import time


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since the machine started, or near it."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)


def new_name() -> str:
    """A name for a run or an operation: unique, sortable by time, its last eight characters unique by themselves."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
