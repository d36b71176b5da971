"""Bubblewrap as a runtime: embedded, without an engine of its own. What it is told on the host: where its program is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from vitrify.core.digest import JSONObject
from vitrify.project.tools import bubblewrap_here
from vitrify.runtimes.on_host import Means


def bubblewrap(program: Callable[[], Awaitable[str]] = bubblewrap_here) -> Means:
    """`program` tells its path when something is launched, and not before: most calls need none."""

    async def means() -> JSONObject:
        return {"bwrap": await program()}

    return means
