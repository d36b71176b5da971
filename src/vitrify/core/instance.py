"""One running copy of an image, as it is wished for and as it is found. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vitrify.core.declaration import Limits


@dataclass(frozen=True)
class InstanceSpec:
    """What to launch. `id` is given by the caller and makes launching repeatable: an id that exists is adopted.

    `environment` may hold secrets: it is written to a 0600 file beside the instance and never passed as an argument. Under the
    names in `secrets` it does, and an engine that shows what it runs must not show those.
    """

    id: str
    image: str
    argv: tuple[str, ...]
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    workdir: str = "/"
    user: str = ""
    writable: tuple[str, ...] = ()
    port: int | None = None
    runtime: str = "bubblewrap"
    secrets: tuple[str, ...] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)
    """Path inside -> the name of a volume, which outlives the instance and is the same for all that name it."""
    capabilities: tuple[str, ...] = ()
    """All others are dropped."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Instance:
    """One running (or ended) copy. `state` is starting, running, restarting, stopping, stopped or lost; `port` on 127.0.0.1."""

    id: str
    image: str
    state: str
    port: int | None
    labels: Mapping[str, str]
    started_at: float = 0.0
    restarts: int = 0
    exit_code: int | None = None
    stop_at: float | None = None
    entered: str = ""
    """By whom and why somebody entered it, in words; "" where nobody did."""

    @property
    def gone(self) -> bool:
        """Whether nothing keeps it alive any more: it was stopped, or its keeper was lost."""
        return self.state in ("stopped", "lost")
