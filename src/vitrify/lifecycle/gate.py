"""Waiting for health: looks in a row that pass, within the time that is given to begin with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from vitrify.core.declaration import Health
from vitrify.ports import Clock

Look = Callable[[], Awaitable[str]]
"""One look: "" where it passes, else the reason in words."""


async def failing(look: Look, health: Health, clock: Clock) -> str:
    """Look until so many in a row pass: "" then. Where one fails once the grace is over: its reason."""
    deadline, in_a_row = clock.monotonic() + health.grace, 0
    while True:
        reason = await look()
        in_a_row = 0 if reason else in_a_row + 1
        if in_a_row >= health.passes:
            return ""
        if reason and clock.monotonic() > deadline:
            return reason
        await clock.sleep(health.interval)
