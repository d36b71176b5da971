"""Removes a folder that may hold anything, without ever leaving it: no link is followed, no mode stops it."""

from __future__ import annotations

import os
from typing import Optional


def remove_tree(path: str, *, dir_fd: Optional[int] = None) -> None:
    """Remove a file, link or folder with all that is in it; nothing there is fine."""
    try:
        folder = _open(path, dir_fd)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        os.unlink(path, dir_fd=dir_fd)
        return
    try:
        _empty(folder)
    finally:
        os.close(folder)
    os.rmdir(path, dir_fd=dir_fd)


def _open(path: str, dir_fd: Optional[int]) -> int:
    """The folder at this path; NotADirectoryError for anything else, links included."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, dir_fd=dir_fd)
    except PermissionError:
        os.chmod(path, 0o700, dir_fd=dir_fd)  # its owner may not look inside: a mode that an image asked for
        return os.open(path, flags, dir_fd=dir_fd)


def _empty(folder: int) -> None:
    if os.fstat(folder).st_uid == os.geteuid():
        os.fchmod(folder, 0o700)
    with os.scandir(folder) as listing:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing]
    for name, is_folder in found:
        if is_folder:
            remove_tree(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)
