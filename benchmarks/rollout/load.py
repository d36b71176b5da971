"""The load on a router while something happens, and what it says afterwards: lost requests, and latencies in chosen stretches of time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
KINDS = {"get": "get", "post": "post", "slow": "slow"}


@dataclass(frozen=True)
class Report:
    """What the clients counted."""

    data: dict[str, Any]

    @property
    def answered(self) -> int:
        """Whole answers in time."""
        return sum(self.data["answered"].values())

    @property
    def lost(self) -> int:
        """By the definition in the client."""
        return sum(self.data["lost"].values())

    @property
    def requests(self) -> int:
        """All that were begun."""
        return self.answered + self.lost

    def latencies(self, stretches: Iterable[tuple[float, float]]) -> list[float]:
        """Seconds of the requests that were asked or answered in any of these stretches, or lasted through one; in order."""
        samples = sorted(self.data["samples"])
        starts, longest = [start for start, _ in samples], max((seconds for _, seconds in samples), default=0.0)
        found: dict[int, float] = {}
        for begin, end in stretches:
            for index in range(bisect_left(starts, begin - longest), bisect_right(starts, end)):
                start, seconds = samples[index]
                if start + seconds >= begin:
                    found[index] = seconds
        return sorted(found.values())

    def counted_apart(self, counts: Path) -> dict[str, int]:
        """By how much the application counted more answers than the clients got, for each kind that differs."""
        counted = {kind: (counts / kind).stat().st_size for kind in KINDS}
        return {
            kind: counted[kind] - self.data["answered"].get(kind, 0)
            for kind in KINDS
            if counted[kind] != self.data["answered"].get(kind, 0)
        }


class Load:
    """The client, as the separate program that it is; ended by `ended`."""

    def __init__(self, url: str, out: Path, *words: str) -> None:
        self._out = out
        command = [sys.executable, "-I", str(HERE / "client.py"), url, "--seconds", "86400", "--out", str(out), *words]
        self._process = subprocess.Popen(command, env={"PATH": os.environ["PATH"]})

    def ended(self) -> Report:
        """End it behind the requests under way."""
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait(timeout=60):
            raise AssertionError("the client failed")
        return Report(json.loads(self._out.read_text()))


def share(ordered: Sequence[float], part: float) -> float:
    """A percentile of ordered values; nan of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("nan")
