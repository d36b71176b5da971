"""How many hosts at a time: sizes as counts or shares, and how many may fail before the rest is left alone. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from vitrify.core.digest import JSONObject

Item = TypeVar("Item")

_SHARE = re.compile(r"([0-9]{1,6})(%?)")


@dataclass(frozen=True)
class Share:
    """So many hosts, or so many of a hundred."""

    value: int
    percent: bool = False

    @classmethod
    def parse(cls, text: str) -> Share | None:
        """`3` or `25%`; None where it is neither."""
        match = _SHARE.fullmatch(text)
        if match is None or (match[2] and int(match[1]) > 100):
            return None
        return cls(int(match[1]), bool(match[2]))

    def __str__(self) -> str:
        return f"{self.value}%" if self.percent else str(self.value)

    def of(self, total: int) -> int:
        """How many of this total, rounded down."""
        return math.floor(total * self.value / 100) if self.percent else min(self.value, total)


ALL = Share(100, percent=True)


@dataclass(frozen=True)
class Pace:
    """How an apply goes through the hosts of one server: batch after batch, until more than `max_fail` of all have failed."""

    batch: tuple[Share, ...] = (ALL,)
    max_fail: Share = Share(0)

    def to_json(self) -> JSONObject:
        """The form in the ledger, for whoever goes on where nobody declares it any more."""
        return {"batch": [str(size) for size in self.batch], "max_fail": str(self.max_fail)}

    @classmethod
    def from_json(cls, data: JSONObject) -> Pace:
        """Read what `to_json` wrote; whatever it does not say is as usual."""
        batch, most = data.get("batch"), Share.parse(str(data.get("max_fail", "")))
        sizes = tuple(filter(None, (Share.parse(str(size)) for size in batch))) if isinstance(batch, list) else ()
        return cls(sizes or (ALL,), most or Share(0))

    def batches(self, hosts: Sequence[Item]) -> tuple[tuple[Item, ...], ...]:
        """The hosts in order, cut as the sizes say; the last size is used again until none is left. A batch is never empty."""
        found: list[tuple[Item, ...]] = []
        start = 0
        while start < len(hosts):
            size = self.batch[min(len(found), len(self.batch) - 1)]
            count = max(1, size.of(len(hosts)))
            found.append(tuple(hosts[start : start + count]))
            start += count
        return tuple(found)

    def enough(self, failed: int, *, of: int) -> bool:
        """Whether so many failures end the apply."""
        return failed > self.max_fail.of(of)
