"""Lets unpacked images share equal files: one file on the disk under several names, for what none of them ever writes to.

Roots are only read: instances write to layers of their own above them. So a file that several have is as safe as one of their own.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

_CHUNK = 1 << 20
_NEIGHBOURS = 3
"""Roots that are looked at, the newest first: a release has most in common with those just before it."""

Looks = Tuple[int, int, int]
"""Mode, uid and gid of a file on the disk."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NAME = ".vitrify-shared"


class Twins:
    """The files of other roots, for whoever unpacks one: an equal file is taken over by a link instead of being written."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(str(root) for root in roots)
        self._near: Tuple[str, Tuple[int, ...]] = ("", ())

    def close(self) -> None:
        """Give the descriptors back."""
        for folder in self._near[1]:
            os.close(folder)
        self._near = ("", ())

    def linked(self, name: str, data: bytes, looks: Looks, *, into: int) -> bool:
        """Whether `name` of another root holds these bytes and looks so, and lies in the folder `into` from now on, as the same file."""
        folder, _, last = name.rpartition("/")
        for theirs in self._folders(folder):
            with suppress(OSError):
                if _is_twin(theirs, last, data, looks):
                    os.link(last, last, src_dir_fd=theirs, dst_dir_fd=into, follow_symlinks=False)
                    return True
        return False

    def _folders(self, folder: str) -> Tuple[int, ...]:
        """This folder in each root that has it; good until another one is asked for."""
        if self._near[0] != folder or not self._near[1]:
            self.close()
            opened: List[int] = []
            for root in self._roots:
                with suppress(OSError):
                    opened.append(_beneath(root, folder))
            self._near = (folder, tuple(opened))
        return self._near[1]


def _is_twin(folder: int, name: str, data: bytes, looks: Looks) -> bool:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    found = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    if not stat.S_ISREG(status.st_mode) or (found, status.st_size, status.st_mtime_ns) != (looks, len(data), 0):
        return False
    with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder), "rb") as file:  # noqa: PTH123  a descriptor
        return not os.listxattr(file.fileno()) and file.read(len(data) + 1) == data


def neighbours(place: Path) -> List[Path]:
    """The roots of the images that lie beside this one, whole, the newest first."""
    found: List[Tuple[float, Path]] = []
    for other in place.parent.iterdir():
        with suppress(OSError):
            if not other.name.startswith(".") and other != place:
                found.append(((other / "image.json").stat().st_mtime, other / "root"))
    return [root for _, root in sorted(found, reverse=True)[:_NEIGHBOURS]]


def share(root: Path, others: List[Path]) -> int:
    """Have each file of a root that nobody uses yet share its content with the equal file of another; returns how many do.

    Equal are type, mode, owner, times as far as images have any, extended attributes, and every byte. What cannot be shared (a folder that
    cannot be written to, another file system, too many names) stays a file of its own.
    """
    left = list(_files(str(root), ""))
    shared = 0
    for other in others:
        unlike: List[str] = []
        for name in left:
            try:
                same = _shared(str(root), str(other), name)
            except OSError:
                same = False
            if same:
                shared += 1
            else:
                unlike.append(name)
        left = unlike
    return shared


def _files(folder: str, beneath: str) -> Iterator[str]:
    try:
        listing = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except PermissionError:
        return
    for entry in listing:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path, f"{beneath}{entry.name}/")
        elif entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_nlink == 1:
            yield f"{beneath}{entry.name}"  # a file with several names within its image keeps them


def _shared(root: str, other: str, name: str) -> bool:
    folder, _, last = name.rpartition("/")
    mine = os.open(f"{root}/{folder}", _FOLDER)
    try:
        theirs = _beneath(other, folder)
        try:
            if not _equal(mine, theirs, last):
                return False
            before = os.fstat(mine)
            os.link(last, _NAME, src_dir_fd=theirs, dst_dir_fd=mine, follow_symlinks=False)
            os.rename(_NAME, last, src_dir_fd=mine, dst_dir_fd=mine)
            os.utime(mine, ns=(before.st_atime_ns, before.st_mtime_ns))  # nothing in the folder is otherwise than it was
        finally:
            os.close(theirs)
    finally:
        os.close(mine)
    return True


def _beneath(root: str, folder: str) -> int:
    """A folder of another root, without ever following a link: it could lead out of it."""
    descriptor = os.open(root, _FOLDER)
    for part in folder.split("/") if folder else ():
        try:
            inner = os.open(part, _FOLDER, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def _equal(mine: int, theirs: int, name: str) -> bool:
    old, new = (os.stat(name, dir_fd=folder, follow_symlinks=False) for folder in (theirs, mine))
    if not stat.S_ISREG(old.st_mode) or (old.st_mode, old.st_uid, old.st_gid, old.st_size) != (
        new.st_mode,
        new.st_uid,
        new.st_gid,
        new.st_size,
    ):
        return False
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(name, flags, dir_fd=theirs), "rb") as one, open(os.open(name, flags, dir_fd=mine), "rb") as two:  # noqa: PTH123  descriptors
        if any(os.listxattr(file.fileno()) for file in (one, two)):
            return False
        while True:
            data = one.read(_CHUNK)
            if data != two.read(_CHUNK):
                return False
            if not data:
                return True
