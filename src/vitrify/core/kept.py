"""Secrets that a change displaced and an undo will want back: on the target itself, for root alone, named by their digest."""

from __future__ import annotations

from typing import Optional

from vitrify.core import place
from vitrify.core.system import Attributes, System, Target

FOLDER = "/var/lib/vitrify/kept"


def keep(digest: str, content: bytes, system: System) -> None:
    """Keep it. An image has no undo: nothing is kept there."""
    path = _path(digest)
    if system.target is Target.IMAGE or system.stat(path) is not None:
        return
    for folder in place.ancestors(path):
        if system.stat(folder) is None:
            private = place.inside(folder, "/var/lib")
            system.make_directory(folder, attributes=Attributes(mode="0700" if private else "0755"))
    system.write(path, content, attributes=Attributes(mode="0600"))


def kept(digest: str, system: System) -> Optional[bytes]:
    """What was kept under this digest."""
    path = _path(digest)
    return system.read(path) if system.stat(path) is not None else None


def _path(digest: str) -> str:
    return f"{FOLDER}/{digest.replace(':', '-')}"
