"""Bubblewrap as a runtime: embedded, without an engine of its own. What it is told on the host: where its program is."""

from __future__ import annotations

from collections.abc import Callable

from vitrify.core.digest import JSONObject
from vitrify.project.binaries import find_bubblewrap
from vitrify.runtimes.on_host import Means


def bubblewrap(program: Callable[[], str] = find_bubblewrap) -> Means:
    """`program` tells its path when something is launched, and not before: most calls need none."""

    def means() -> JSONObject:
        return {"bwrap": program()}

    return means
