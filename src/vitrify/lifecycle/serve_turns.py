"""Whose turn it is: when each job was last done, and how long until it is due again. Pure but for what it was told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import inf

from vitrify.core.served import BUSY, DONE
from vitrify.lifecycle.attempts import grown
from vitrify.lifecycle.duty import Job
from vitrify.lifecycle.serve_board import Place

FIRST, LONGEST = 5.0, 300.0
"""Seconds until a job that failed is tried again; doubled with each failure in a row, up to the longest."""
WHILE_BUSY = 5.0
"""Seconds until somebody else is asked again whether they are done, at the most: that is no failure."""

Key = tuple[str, Place]


def pause(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return grown(failures, first=FIRST, longest=LONGEST)


@dataclass(frozen=True)
class _Past:
    """`since` is when the last turn ended, by the clock that never goes back."""

    since: float
    outcome: str = DONE
    failures: int = 0

    def due(self, every: float) -> float:
        """When the next turn begins."""
        if self.failures:
            return self.since + pause(self.failures)
        return self.since + (min(every, WHILE_BUSY) if self.outcome == BUSY else every)


class Timetable:
    """The jobs there are now, and what became of them before."""

    def __init__(self) -> None:
        self._jobs: dict[Key, Job] = {}
        self._past: dict[Key, _Past] = {}

    def settle(self, jobs: Iterable[Job], *, now: float, wall: float) -> None:
        """These jobs there are from now on. A new one is due at once, or when its interval since the last turn of another process is over.

        `now` is the clock that never goes back, `wall` seconds since the epoch.
        """
        self._jobs = {(job.duty, job.place): job for job in jobs if job.every < inf}
        self._past = {key: past for key, past in self._past.items() if key in self._jobs}
        for key, job in self._jobs.items():
            if key not in self._past:
                last = job.last()
                # A clock that was set may say that it was done tomorrow: never wait longer than the interval.
                ago = job.every if last is None else max(0.0, wall - last)
                self._past[key] = _Past(now - ago)

    def due(self, *, now: float, busy: AbstractSet[tuple[str, ...]]) -> Iterator[Job]:
        """For each line that is not busy, the job whose turn it has been for longest."""
        taken = set(busy)
        for key, at in sorted(self._due().items(), key=lambda found: found[1]):
            job = self._jobs[key]
            if at <= now and job.line not in taken:
                taken.add(job.line)
                yield job

    def ended(self, job: Job, outcome: str, *, now: float) -> None:
        """A turn of this job ended so."""
        before = self._past.get((job.duty, job.place), _Past(now))
        failures = 0 if outcome in (DONE, BUSY) else before.failures + 1
        self._past[job.duty, job.place] = _Past(now, outcome, failures)

    def wait(self, *, now: float, busy: AbstractSet[tuple[str, ...]], at_most: float) -> float:
        """Seconds until a job of a line that is not busy is due."""
        times = [at - now for key, at in self._due().items() if self._jobs[key].line not in busy]
        return min(at_most, max(0.0, min(times, default=at_most)))

    def _due(self) -> Mapping[Key, float]:
        return {key: self._past[key].due(job.every) for key, job in self._jobs.items()}
