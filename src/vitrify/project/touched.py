"""Tells whether anything in a project's folder was touched: what was read of it then has to be read again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

_NOT_OURS = frozenset({".git", "__pycache__"})


def signature(folder: str, *, but: str) -> str:
    """Changes with every file of the folder that is added, removed or written, those below `but` aside; reads none of them."""
    found = hashlib.sha256()
    for line in sorted(_entries(str(Path(folder).resolve()), str(Path(but).resolve()))):
        found.update(os.fsencode(line))
    return found.hexdigest()


def _entries(folder: str, but: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as listed:
            entries = list(listed)
    except OSError:  # gone meanwhile, or not ours to read: as good as empty
        return
    for entry in entries:
        if entry.name in _NOT_OURS or entry.path == but:
            continue
        try:
            seen = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path, but)
        else:
            yield f"{entry.path}\0{seen.st_mtime_ns}\0{seen.st_size}\0{seen.st_ino}\n"
