"""The runtimes of a host, all behind one port: which one keeps an instance is told with its launch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitrify.core.event import Emit
from vitrify.runtimes.bubblewrap import bubblewrap
from vitrify.runtimes.on_host import OnHostRuntime
from vitrify.runtimes.podman import podman

if TYPE_CHECKING:
    from vitrify.ports import Carrier, Session

PODMAN_STORAGE = "VITRIFY_PODMAN_STORAGE"
"""Names a folder of this machine for podman's images and containers, where they are not to lie among those of everybody else."""


@dataclass(frozen=True)
class Programs:
    """What runtimes need to be told: where bubblewrap is, and where podman is to store things ("" is its own choice)."""

    bubblewrap: Callable[[], Awaitable[str]]
    podman_storage: str = ""


def runtime(session: Session, programs: Programs, *, home: str, images: Carrier, emit: Emit) -> OnHostRuntime:
    """What keeps the instances below `home` on the host of a session."""
    means = {"bubblewrap": bubblewrap(programs.bubblewrap), "podman": podman(programs.podman_storage)}
    return OnHostRuntime(session, home=home, images=images, means=means, emit=emit, lasting=True)
