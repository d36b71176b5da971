"""What an instance's root is put together from: a pure list, topmost folder first, that the sandbox turns into arguments."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Literal, Mapping, Tuple

MountKind = Literal["overlay", "bind", "symlink", "tmpfs", "dev", "proc"]

HOST = "host"
"""The base whose files are not in the image: they are the running system's, seen read-only."""

FROM_HOST = ("bin", "etc", "lib", "lib32", "lib64", "libx32", "opt", "sbin", "usr")
"""What an image on the base `host` shows of the running system. Not here: homes, `/var`, `/run`, `/srv`: data, not system."""


@dataclass(frozen=True)
class Mount:
    """One step, in order. `lowers`: read-only folders of an overlay, topmost first; `source`: of a bind, or a link's target."""

    at: str
    lowers: Tuple[str, ...]
    kind: MountKind
    source: str = ""


def mounts(root: str, base: str, host_entries: Mapping[str, str], image_entries: Mapping[str, str]) -> Tuple[Mount, ...]:
    """The root of an instance whose image is unpacked at `root`; parents come before what lies in them.

    `host_entries` are the running system's top-level names, see `entries`; only the base `host` uses them.
    `image_entries` are the image's own (`Unpacked.entries`): a name that is no folder there hides the host's.
    """
    found: List[Mount] = [Mount("/", (root,), "overlay")]
    if base == HOST:
        for name in FROM_HOST:
            found += _from_host(root, name, host_entries.get(name, ""), image_entries.get(name, ""))
    return (*found, Mount("/proc", (), "proc"), Mount("/dev", (), "dev"))


def _from_host(root: str, name: str, there: str, own: str) -> List[Mount]:
    at = f"/{name}"
    if not there or (own and own != "directory"):
        return []
    if there != "directory":
        return [] if own else [Mount(at, (), "symlink", there)]
    return [Mount(at, (f"{root}/{name}", at), "overlay")] if own else [Mount(at, (), "bind", at)]


def entries(folder: str = "/") -> Dict[str, str]:
    """Top-level names of a folder: `directory`, a link's target, or `file` for anything else (whiteouts, too: they hide)."""
    found: Dict[str, str] = {}
    with os.scandir(folder) as listing:
        for entry in listing:
            if entry.is_symlink():
                found[entry.name] = str(Path(entry.path).readlink())
            else:
                found[entry.name] = "directory" if entry.is_dir() else "file"
    return found
