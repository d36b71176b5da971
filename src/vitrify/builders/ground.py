"""What an image stands on: nothing, a folder that becomes its first layer, or the running system, seen but not packed."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vitrify.builders.tree import Tree, listed, stamps
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSON, JSONObject, digest_bytes, digest_of
from vitrify.core.elsewhere import BaseImage
from vitrify.core.event import Emit, silence
from vitrify.core.reference import Reference

SCRATCH, HOST, ROOTFS, DEBOOTSTRAP, IMAGE = "scratch", "host", "rootfs", "debootstrap", "oci"

_SYSTEM_RECORDS = (
    "etc/os-release",
    "usr/lib/os-release",
    "etc/passwd",
    "etc/group",
    "var/lib/dpkg/status",
    "lib/apk/db/installed",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "var/lib/rpm/rpmdb.sqlite",
)
"""What tells one system from another: its name, its accounts and what its package manager installed."""


class Bases(Protocol):
    """Where bases that are images of a registry come from."""

    def have(self, reference: Reference, *, emit: Emit = silence) -> BaseImage:
        """The image that this digest names, for this machine, unpacked; from the store where it is here, without asking anybody."""

    def resolve(self, reference: Reference) -> str:
        """The digest that a tag stands for now."""


@dataclass(frozen=True)
class Base:
    """A base as declared: its kind, and where a bake finds its files."""

    kind: str
    folder: str = ""
    owners: str = ""
    """The file that says whose its files are, where whoever made it could not leave that on disk."""

    @classmethod
    def parse(cls, text: str, *, system: str = "/") -> Base:
        """Read a base as a request names it; `system` is where the running system's files are."""
        kind, _, folder = text.partition(":")
        if kind in (DEBOOTSTRAP, IMAGE) and folder:
            return cls(kind)
        if kind == ROOTFS and not Path(folder).is_dir():
            raise UsageInvalid(f"the base {text} is not a folder", hint="write rootfs:DIR with the root of an unpacked system")
        if kind not in (SCRATCH, HOST, ROOTFS) or (folder and kind != ROOTFS):
            raise UsageInvalid(f"there is no base {text!r}", hint="bases: scratch, host, rootfs:DIR, debootstrap:SUITE, oci:REFERENCE")
        return cls(kind, {HOST: system, ROOTFS: os.path.realpath(folder)}.get(kind, ""))

    @property
    def lowers(self) -> list[JSON]:
        """The read-only folders beneath what a bake writes."""
        return [self.folder] if self.folder else []


def rootfs_tree(folder: str, owners: str = "") -> Tree:
    """A rootfs folder as a layer: its owners count where root owns the folder; an ordinary user's copy has none to tell but in a table."""
    table = stamps(json.loads(Path(owners).read_bytes())) if owners and Path(owners).is_file() else {}
    return Tree(folder, table, disk_owners=Path(folder).stat().st_uid == 0)


def stat_fingerprint(tree: Tree) -> tuple[str, int]:
    """A digest that moves whenever a file of the tree does, without reading one; and the newest change time in it (ns)."""
    rows: list[JSON] = []
    newest = 0
    for entry in listed(tree.folder):
        status, stamp = entry.status, tree.stamp(entry)
        newest = max(newest, status.st_ctime_ns)
        rows.append(
            [
                entry.path.hex(),
                status.st_ino,
                status.st_size,
                status.st_mtime_ns,
                status.st_ctime_ns,
                status.st_mode,
                stamp.mode,
                stamp.uid,
                stamp.gid,
            ]
        )
    return digest_of(rows), newest


def system_fingerprint(folder: str) -> str:
    """Which system this is: a digest over its release, accounts and installed packages. It says nothing of other files."""
    return digest_of({name: _content(Path(folder, name)) for name in _SYSTEM_RECORDS})


def touched_fingerprint(folder: str, resources: Sequence[JSONObject]) -> str:
    """What the running system holds where resources name a path: a bake over it starts from that, so a new bake is due when it moves."""
    fields = [resource["fields"] for resource in resources]
    paths = sorted({str(given["path"]) for given in fields if isinstance(given, dict) and "path" in given})
    return digest_of({path: _looks(Path(folder, path.lstrip("/"))) for path in paths})


def _looks(path: Path) -> JSON:
    try:
        status = path.lstat()
    except OSError:
        return None
    content = _content(path) if stat.S_ISREG(status.st_mode) else str(path.readlink()) if stat.S_ISLNK(status.st_mode) else ""
    return [status.st_mode, status.st_uid, status.st_gid, content]


def _content(path: Path) -> JSON:
    try:
        return digest_bytes(path.read_bytes())
    except OSError:
        return None
