"""Every side effect is intent, act, outcome; a test may end the process for real behind any of the three.

`Reached` is called with `NAME.intent` once the intent is durable, `NAME.act` once the side effect happened and before
anybody wrote that down, and `NAME.outcome` once the outcome is durable. In production it does nothing.
"""

from __future__ import annotations

from typing import Callable

Reached = Callable[[str], None]


def carry_on(_: str) -> None:
    """Go on: what every process does outside of crash tests."""
