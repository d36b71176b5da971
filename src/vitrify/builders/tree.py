"""What a folder holds, as an image sees it: every entry with its path and stamp, in the one order that a layer has."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.onhost.layout import DEEPEST

EMPTIED: Final = frozenset((b"dev", b"proc", b"sys"))
"""Folders whose content is the kernel's, never an image's."""
LEFT_OUT: Final = frozenset((b"var/lib/vitrify",))
"""Our own memory of a host: its journal may hold what was replaced, secrets included."""


@dataclass(frozen=True)
class Stamp:
    """Whose an entry is and what may be done with it."""

    mode: int
    uid: int
    gid: int


@dataclass(frozen=True)
class Entry:
    """One entry: its path relative to the tree's folder, and what lstat says."""

    path: bytes
    status: os.stat_result

    @property
    def spoken(self) -> str:
        """The path for a person."""
        return "/" + self.path.decode("utf-8", "backslashreplace")

    @property
    def is_whiteout(self) -> bool:
        """Whether this is how an overlay says that something beneath was removed."""
        return stat.S_ISCHR(self.status.st_mode) and self.status.st_rdev == 0


@dataclass(frozen=True)
class Tree:
    """A folder to pack.

    An entry's stamp comes from `attributes` (path relative to the folder -> stamp), else its mode from the disk, and its
    owner is root, or with `disk_owners` the one on disk. With `overlay`, whiteouts and opaque folders of an overlay's
    upper folder are the layer's; without, a whiteout is a device like any other and refused.
    """

    folder: str
    attributes: Mapping[bytes, Stamp] = field(default_factory=dict)
    disk_owners: bool = False
    overlay: bool = False

    def stamp(self, entry: Entry) -> Stamp:
        """Mode and owner of an entry."""
        status = entry.status
        ids = (status.st_uid, status.st_gid) if self.disk_owners else (0, 0)
        return self.attributes.get(entry.path) or Stamp(stat.S_IMODE(status.st_mode), *ids)


def stamps(sidecar: Mapping[str, JSON]) -> dict[bytes, Stamp]:
    """Read the table that a bake returns: `{path: {mode, uid, gid}}`, modes in octal digits."""
    found: dict[bytes, Stamp] = {}
    for path, entry in sidecar.items():
        if not isinstance(entry, dict):
            raise TargetFailed(f"the table of attributes is malformed at {path}")
        stamp = Stamp(int(str(entry["mode"]), 8) & 0o7777, int(str(entry["uid"])), int(str(entry["gid"])))
        found[path.strip("/").encode("utf-8", "surrogateescape")] = stamp
    return found


def listed(folder: str) -> list[Entry]:
    """Every entry beneath a folder that belongs in an image, sorted by the bytes of its path."""
    return sorted(_walk(os.fsencode(folder)), key=lambda entry: entry.path)


def _walk(folder: bytes) -> Iterator[Entry]:
    waiting = [b""]
    while waiting:
        for entry in _scan(folder, waiting.pop()):
            if entry.path in LEFT_OUT:
                continue
            yield entry
            if stat.S_ISDIR(entry.status.st_mode) and entry.path not in EMPTIED:
                waiting.append(entry.path)


def _scan(folder: bytes, below: bytes) -> list[Entry]:
    prefix = below + b"/" if below else b""
    if prefix.count(b"/") > DEEPEST:
        raise TargetFailed(f"/{below[:80].decode(errors='replace')}… lies too deep for an image", why=f"at most {DEEPEST} levels fit")
    with readable(b"/" + below), os.scandir(os.path.join(folder, below)) as listing:  # noqa: PTH118  names may be no text
        return [Entry(prefix + item.name, item.stat(follow_symlinks=False)) for item in listing]


@contextmanager
def readable(path: bytes) -> Iterator[None]:
    """Say which entry could not be read, and what helps."""
    try:
        yield
    except OSError as error:
        hint = "run as a user who may read all of it" if isinstance(error, PermissionError) else ""
        raise TargetFailed(f"cannot read {path.decode(errors='backslashreplace')}", why=str(error.strerror), hint=hint) from error
