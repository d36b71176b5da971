"""What the global flags of a command say: which project, which part of it, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scope:
    """Which project, which part of it, and the environment and variables given on the command line."""

    folder: str = "."
    limit: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    overrides: Mapping[str, str] = field(default_factory=dict)
    environment: str = ""
    tags: tuple[str, ...] = ()
    parallel: int = 10
    """Hosts at a time."""
    keep_runs: int = 20
    """So many runs of each server stay undoable on a host."""
    dead_man: float = 120.0
    """Seconds that a change has to be confirmed in, where it could shut us out; 0 is for ever."""
    wait: float = 0.0
    """Seconds to wait for somebody else who is changing the same server."""
