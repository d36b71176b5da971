"""The key `schedule`: how often `vitrify serve` does each duty, for all servers and for one of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator

from vitrify.core.schedule import NEVER, Schedule
from vitrify.project.node import Node
from vitrify.project.part import Part, read
from vitrify.project.problems import Problems
from vitrify.project.values import Given, duration, refuse
from vitrify.project.variables import Scope, fill

SHORTEST = 1.0
"""Seconds: looking takes about half of that."""
_NEVER = "never"


@dataclass(frozen=True)
class Every:
    """Seconds between two turns."""

    seconds: float


def _every(value: Any) -> Every:  # noqa: ANN401  what stands in a file can be anything
    if value == _NEVER:
        return Every(NEVER)
    if isinstance(value, str) and not value[:1].isdigit():
        refuse("this is no interval", f"a whole number and s, m or h, as in 30s; or `{_NEVER}`")
    seconds = duration(value)
    if seconds < SHORTEST:
        refuse("this is too often", f"at least {SHORTEST:g}s, or `{_NEVER}`")
    return Every(seconds)


Interval: TypeAlias = Annotated[Every, BeforeValidator(_every)]
"""Seconds, written as `30s`, `10m`, `1h`, or `never`."""


class SchedulePart(Part):
    """How often `vitrify serve` does each duty."""

    keep: Annotated[Interval | None, Given] = None
    health: Annotated[Interval | None, Given] = None
    contract: Annotated[Interval | None, Given] = None
    retention: Annotated[Interval | None, Given] = None
    audit: Annotated[Interval | None, Given] = None
    respond: Annotated[Interval | None, Given] = None
    watch: Annotated[Interval | None, Given] = None


def of_all(root: Node, scope: Scope, problems: Problems) -> Schedule:
    """What the top level of a declaration says; what is wrong with it is noted."""
    entry = root.entries.get("schedule")
    part = read(SchedulePart, fill(entry.node, scope, problems), owner=entry.at, problems=problems) if entry else None
    return schedule(part, over=Schedule()) if part else Schedule()


def schedule(part: SchedulePart, *, over: Schedule) -> Schedule:
    """What the part says, and for the rest what holds for everybody."""
    said = {name: getattr(part, name) for name in part.model_fields_set}
    return replace(over, **{name: every.seconds for name, every in said.items()})
