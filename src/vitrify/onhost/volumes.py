"""State that outlives instances: a folder for each volume, the same for whoever runs the instance."""

from __future__ import annotations

import re
from pathlib import Path

from vitrify.core.diagnostic import TargetFailed

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def volume(home: str, name: str) -> str:
    """The folder of this volume; made where there is none, and never taken away by us."""
    if not _NAME.fullmatch(name):
        raise TargetFailed(f"{name!r} cannot be a volume's name", hint="letters, digits, and . _ - inside")
    folder = Path(home, "volumes", name)
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    return str(folder)
