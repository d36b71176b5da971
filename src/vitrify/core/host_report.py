"""What hosts told that were asked the same, together with those that could not tell."""

from __future__ import annotations

from dataclasses import dataclass

from vitrify.core.plan import HostProblem
from vitrify.core.report import ReleaseStatus


@dataclass(frozen=True)
class ReleasesTold:
    """Releases, newest first. Instances on the hosts with `problems` are not counted."""

    rows: tuple[ReleaseStatus, ...]
    problems: tuple[HostProblem, ...] = ()


@dataclass(frozen=True)
class LogsTold:
    """What instances wrote; nothing of those on the hosts with `problems`."""

    text: str
    problems: tuple[HostProblem, ...] = ()
