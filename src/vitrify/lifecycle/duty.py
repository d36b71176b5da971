"""What `vitrify serve` is made of: a duty is one thing that is looked after again and again, and knows nothing of the others.

A duty keeps no memory of its own. What a turn must know of the turns before it is on the hosts, in the state store or in the
ledger: so a process that is killed between any two acts is replaced by the next one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from vitrify.core.declaration import Server
from vitrify.core.schedule import Schedule
from vitrify.lifecycle.serve_board import Board, Place
from vitrify.lifecycle.world import World


@dataclass(frozen=True)
class Charge:
    """What is looked after: the servers as they are declared now. `schedule` is for what is about no one server."""

    servers: tuple[Server, ...]
    schedule: Schedule
    world: World
    board: Board
    parallel: int = 10
    """So many hosts of one server at a time."""


def never_before() -> float | None:
    """For what is done at once when a process begins."""
    return None


@dataclass(frozen=True)
class Job:
    """One duty for one server ("": for all of them), on one of its hosts or on all. Jobs of one place are done one after the other."""

    duty: str
    server: str
    every: float
    """Seconds between the end of a turn and the next one."""
    act: Callable[[], Awaitable[str]]
    """One turn; tells in words what it did, "" for nothing. A lease that it needs is held for as long as the act, and no longer."""
    last: Callable[[], float | None] = never_before
    """When it was last done (seconds since the epoch), by whatever process; asked once."""
    host: str = ""
    """The name of the host that it is about; "" for all of the server's."""

    apart: bool = False
    """Whether it goes on beside the others of its place: for one that only listens, and may do so for hours."""

    @property
    def line(self) -> tuple[str, ...]:
        """What it stands in line with: the jobs of its place, or nobody."""
        return (*self.place, self.duty) if self.apart else self.place

    @property
    def place(self) -> Place:
        """What is changed by one job at a time."""
        return (self.server, self.host)


class Duty(Protocol):
    """One thing to look after."""

    def jobs(self, charge: Charge) -> Iterable[Job]:
        """What there is to do now. Asked often: it only reads what it is given."""
