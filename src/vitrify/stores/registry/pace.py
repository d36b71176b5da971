"""How long a registry may take, and how often it is asked again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from vitrify.core.diagnostic import TargetUnreachable


@dataclass(frozen=True)
class Pace:
    """Times in seconds. A connection that is silent for `stall`, or gives less than `slowest` bytes a second over `window`, is given up."""

    stall: float = 30.0
    window: float = 60.0
    slowest: int = 1024
    tries: int = 5
    """How often in a row the same thing is tried, where trying it again is safe."""
    longest: float = 30.0
    """The longest pause between two tries, whatever the registry asks for."""
    sleep: Callable[[float], object] | None = None
    """How to wait; None: until the time is over, or all is to stop."""
    monotonic: Callable[[], float] = time.monotonic
    stopped: threading.Event = field(default_factory=threading.Event)
    """Set where everything under way is to end: somebody wants the command to stop, or a part of it failed."""

    def pause(self, attempt: int, *, asked: str = "") -> None:
        """Wait before the next try: longer each time, or as long as the registry asks."""
        wait = float(asked) if asked.isascii() and asked.isdigit() else 0.25 * 2**attempt
        (self.sleep or self.stopped.wait)(min(wait, self.longest))
        self.go_on()

    def go_on(self) -> None:
        """Return where work is to go on."""
        if self.stopped.is_set():
            raise TargetUnreachable("stopped, because another part of it failed")


class Watch:
    """Looks whether a body comes fast enough to be waited for."""

    def __init__(self, pace: Pace, name: str) -> None:
        self._pace, self._name = pace, name
        self._since, self._bytes = pace.monotonic(), 0

    def saw(self, count: int) -> None:
        """So many bytes more; TargetUnreachable where that is too slow to be honest."""
        self._pace.go_on()
        self._bytes += count
        passed = self._pace.monotonic() - self._since
        if passed >= self._pace.window:
            if self._bytes < self._pace.slowest * passed:
                why = f"{self._bytes} bytes in {passed:.0f} s"
                raise TargetUnreachable(f"{self._name} answers too slowly to be waited for", why=why, hint="the same command goes on later")
            self._since, self._bytes = self._pace.monotonic(), 0
