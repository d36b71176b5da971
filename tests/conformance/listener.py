"""The listener that a host runs, in a thread of the test: what it told, and its end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vitrify.core.digest import JSONObject
from vitrify.core.event import Event
from vitrify.core.resource import Kinds
from vitrify.onhost import watching, watching_inside
from vitrify.onhost.context import Context
from vitrify.onhost.watching import GAP, RUNG, TOUCHED

PATIENCE = 60.0


class Listener:
    """What was heard so far."""

    def __init__(self) -> None:
        self.rung = ""
        self.gaps: list[str] = []
        self.touches: list[JSONObject] = []
        self._more = threading.Condition()

    def take(self, event: Event) -> None:
        """One event of the listener."""
        with self._more:
            if event.what == RUNG:
                self.rung = event.subject
            elif event.what == GAP:
                self.gaps.append(event.detail)
            elif event.what == TOUCHED and isinstance(told := event.data["touches"], list):
                self.touches += [touch for touch in told if isinstance(touch, dict)]
            self._more.notify_all()

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for it."""
        end = time.monotonic() + PATIENCE
        with self._more:
            while not holds():
                assert self._more.wait(end - time.monotonic()), (self.rung, self.gaps, self.touches)

    def of(self, path: str) -> JSONObject:
        """The first touch of this path, once it was told."""
        self.until(lambda: any(touch["path"] == path for touch in self.touches))
        return next(touch for touch in self.touches if touch["path"] == path)


@contextmanager
def listening(**arguments: object) -> Iterator[Listener]:
    """A listener that stands, until the end of the block: then its rules are gone."""
    found, (hears, ends) = Listener(), os.pipe()
    context = Context(found.take, lambda _: b"", lambda _: None, Kinds([]), time.time, channel=hears)
    thread = threading.Thread(target=watching_inside.watch if "home" in arguments else watching.watch, args=(context, arguments))
    thread.start()
    try:
        found.until(lambda: bool(found.rung) or not thread.is_alive())
        yield found
    finally:
        os.close(ends)
        thread.join()
        os.close(hears)
