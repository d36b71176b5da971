"""Whether the instances of a release keep running: which ended that should not have, which crash again and again. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from vitrify.core.instance import Instance

_CRASHES = 2
"""So many restarts are no accident any more, where the last one was a moment ago."""
_STEADY = 10.0
"""Seconds after which an instance that was restarted is up again: its keeper forgets its crashes then as well."""


def over(instance: Instance) -> bool:
    """Whether it ended, or is about to."""
    return instance.gone or instance.state == "stopping"


def ended(instances: Iterable[Instance], *, replicas: int) -> dict[str, str]:
    """Id -> state of those that should run and do not: the newest that ended, as many as there are too few."""
    known = tuple(instances)
    gone = [instance for instance in known if over(instance)]
    missing = max(0, replicas - (len(known) - len(gone)))
    return {instance.id: instance.state for instance in (gone[-missing:] if missing else ())}


def too_few(instances: Iterable[Instance], *, replicas: int) -> bool:
    """Whether fewer are kept alive than should serve, whatever became of the others."""
    return sum(not over(instance) for instance in instances) < replicas


def crashing(instance: Instance, *, now: float) -> bool:
    """Whether it crashes again and again: between two crashes it looks as if it ran."""
    short = instance.state == "restarting" or now - instance.started_at < _STEADY
    return not over(instance) and instance.restarts >= _CRASHES and short


def crash(instance: Instance) -> str:
    """In words that stay the same from crash to crash: a plan that says so can be saved and applied."""
    return "crashes again and again" + ("" if instance.exit_code is None else f", ended with {instance.exit_code} the last time")
