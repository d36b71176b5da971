"""State that outlives instances: a folder for each volume, the same for whoever runs the instance."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Tuple

from vitrify.core.diagnostic import TargetFailed

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def volume(home: str, name: str) -> str:
    """The folder of this volume; made where there is none, and never taken away by us.

    A name that is an absolute path is a folder of the host, which a server that is changed in place knows by that path.
    """
    if name.startswith("/"):
        return _of_the_host(Path(name))
    if not _NAME.fullmatch(name):
        raise TargetFailed(f"{name!r} cannot be a volume's name", hint="letters, digits, and . _ - inside")
    folder = Path(home, "volumes", name)
    folder.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    folder.mkdir(mode=0o755, exist_ok=True)
    return str(folder)


def _of_the_host(folder: Path) -> str:
    if ".." in folder.parts or folder == Path("/"):
        raise TargetFailed(f"{str(folder)!r} cannot be a volume", hint="name one folder of the host, as in /var/lib/app")
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    return str(folder)


def is_new(folder: str) -> bool:
    """Whether nothing was ever kept in it, and nobody was given it."""
    return Path(folder).stat().st_uid == os.geteuid() and not any(Path(folder).iterdir())


def give(folder: str, owner: Tuple[int, int]) -> None:
    """Let the process that it is made for own it; a folder that holds something belongs to whom it belonged to."""
    if is_new(folder):
        os.chown(folder, *owner)
