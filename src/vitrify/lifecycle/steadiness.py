"""Whether an instance that is looked at again and again is still fit: a failure is forgiven, a row of them is not, nor are many."""

from __future__ import annotations

from dataclasses import dataclass

FLAPPING = 3
"""It flaps once it failed so many times as often as would be too much in a row."""


@dataclass
class Steadiness:
    """Of one instance. `row`: so many failures one behind the other are too much."""

    row: int
    _looks: int = 0
    _failed: int = 0
    _in_a_row: int = 0

    def unfit(self, *, failed: bool) -> bool:
        """Take one more look into account; whether it is unfit by now."""
        self._looks += 1
        self._failed += failed
        self._in_a_row = self._in_a_row + 1 if failed else 0
        return self._in_a_row >= self.row or self.flaps

    @property
    def flaps(self) -> bool:
        """It never failed long enough in a row, but so often that it is not well either."""
        return self._in_a_row < self.row and self._failed >= FLAPPING * self.row

    def told(self, reason: str) -> str:
        """Why it is unfit; `reason` is what the last look said."""
        return f"it comes and goes: {self._failed} of {self._looks} looks failed; {reason}" if self.flaps else reason
