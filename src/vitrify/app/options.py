"""What the global flags of the command line said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from vitrify.core.plan import Selection


@dataclass(frozen=True)
class Options:
    """What the global flags said."""

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

    @property
    def selection(self) -> Selection:
        """Which part of the declaration is meant."""
        return Selection(self.limit, self.exclude, self.tags, self.environment)

    def selecting(self, selection: Selection) -> Options:
        """The same, about this part."""
        limit, exclude = selection.limit, selection.exclude
        return replace(self, limit=limit, exclude=exclude, tags=selection.tags, environment=selection.environment)
