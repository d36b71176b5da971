"""Which of the twenty slots of a route leads where: one order for all routers, so that a growing share moves as few as it can."""

from __future__ import annotations

from typing import List, Sequence, Tuple

SLOTS = 20
"""Places of a route among which requests are spread evenly: each is five per cent of them."""

STEP = 100 // SLOTS
"""The smallest share, in per cent."""

_STRIDE = 7
"""Has no factor in common with the slots: taken in these strides, each comes once, and neighbours in time are far apart."""


def is_share(percent: int) -> bool:
    """Whether a second set can get so much: in steps of five, and neither nothing nor all."""
    return 0 < percent < 100 and percent % STEP == 0


def shared(addresses: Sequence[str], beside: Sequence[str] = (), percent: int = 0) -> Tuple[str, ...]:
    """The address of each slot. A slot that a share has taken stays with it while the share grows, and every other keeps its address."""
    slots: List[str] = [addresses[slot % len(addresses)] for slot in range(SLOTS)]
    for count in range(percent // STEP if beside else 0):
        slots[count * _STRIDE % SLOTS] = beside[count % len(beside)]
    return tuple(slots)
