"""Compares an unpacked image with another one of the same layers: types, modes, owners, links and every byte."""

from __future__ import annotations

import filecmp
import os
import stat
from pathlib import Path
from typing import Optional, Tuple

_PARTS = ("root", "image.json", "attributes.json")


def differs(made: Path, found: Path) -> str:
    """The first difference between the folder of an image that was just unpacked and one that lies there; "" where there is none."""
    return next(filter(None, (_unlike(made / name, found / name, name if name != "root" else "") for name in _PARTS)), "")


def _unlike(made: Path, found: Path, name: str) -> str:
    try:
        old, new = _status(made), _status(found)
    except OSError as error:
        return f"/{name} cannot be looked at: {error.strerror}"
    if old is None or new is None:
        return "" if old is new else f"/{name} {'was added' if old is None else 'is missing'}"
    if (old.st_mode, old.st_uid, old.st_gid) != (new.st_mode, new.st_uid, new.st_gid):
        return f"/{name} has another type, mode or owner"
    if stat.S_ISDIR(old.st_mode):
        return next(filter(None, (_unlike(made / one, found / one, f"{name}/{one}".lstrip("/")) for one in _names(made, found))), "")
    return "" if _same(made, found, old) else f"/{name} has another content"


def _same(made: Path, found: Path, old: os.stat_result) -> bool:
    """Whether two that are of one type lead to the same, or hold the same."""
    if stat.S_ISLNK(old.st_mode):
        return made.readlink() == found.readlink()
    return not stat.S_ISREG(old.st_mode) or filecmp.cmp(made, found, shallow=False)


def _status(path: Path) -> Optional[os.stat_result]:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def _names(*folders: Path) -> Tuple[str, ...]:
    try:
        return tuple(sorted({entry.name for folder in folders for entry in folder.iterdir()}))
    except PermissionError:
        return ()  # closed by its image to everybody but root, and so to instances
