"""An instance's root before anything is mounted: what lies where, seen through all layers, and links resolved inside it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.onhost.mounts import Mount

DEEPEST_LINKS = 40
"""Links followed in one path before it is called a circle: the kernel's own limit."""

OPAQUE = ("user.overlay.opaque", "trusted.overlay.opaque")
"""The attributes by which a folder of a layer hides what lies beneath: without privilege, and with."""

Folders = Tuple[str, ...]
"""The folders of the layers that merge into one, topmost first."""


def step(folders: Folders, name: str) -> Tuple[Optional[str], Folders]:
    """What `name` shows in merged folders, and the folders that merge into it where it is one; None where nothing shows."""
    found: Optional[str] = None
    merged: List[str] = []
    for folder in folders:
        candidate = f"{folder}/{name}"
        entry = _entry(candidate)
        if entry is None:
            continue
        if is_whiteout(entry):
            break
        found = found or candidate
        if not stat.S_ISDIR(entry.st_mode):
            break
        merged.append(candidate)
        if is_opaque(candidate):
            break
    return found, tuple(merged)


def _entry(path: str) -> Optional[os.stat_result]:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_whiteout(found: os.stat_result) -> bool:
    """Whether an entry of an overlay's layer says that what lies beneath is gone."""
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def is_opaque(folder: str) -> bool:
    """Whether a folder of a layer hides what lies beneath."""
    return any(_attribute(folder, name) == b"y" for name in OPAQUE)


def _attribute(path: str, name: str) -> bytes:
    try:
        return os.getxattr(path, name, follow_symlinks=False)
    except OSError:
        return b""


@dataclass(frozen=True)
class RootView:
    """The merged, read-only view of a mount plan."""

    plan: Tuple[Mount, ...]

    def mount(self, path: str) -> Mount:
        """The step of the plan that a path lies on: the longest one that leads to it."""
        fitting = [mount for mount in self.plan if path == mount.at or path.startswith(mount.at.rstrip("/") + "/")]
        return max(fitting, key=lambda mount: len(mount.at))

    def find(self, path: str) -> Tuple[Optional[str], Folders]:
        """What shows at a path that holds no links, and the folders that merge there."""
        mount = self.mount(path)
        folders = mount.lowers if mount.kind == "overlay" else (mount.source,) if mount.kind == "bind" else ()
        found: Optional[str] = folders[0] if folders else None
        for name in _parts(path[len(mount.at) :]):
            found, folders = step(folders, name)
        return found, folders

    def resolve(self, path: str) -> str:
        """The path without any link in it; parts that do not exist stay as they are. Links never lead out of the root."""
        todo, done, followed = _parts(path), "/", 0
        while todo:
            part = todo.pop(0)
            here = os.path.dirname(done) if part == ".." else f"{done.rstrip('/')}/{part}"  # noqa: PTH120  text, not files
            link = None if part == ".." else self._link(here)
            if link is None:
                done = here
                continue
            followed += 1
            if followed > DEEPEST_LINKS:
                raise TargetFailed(f"{path} leads in a circle in the image")
            todo = _parts(link) + todo
            done = "/" if link.startswith("/") else done
        return done

    def _link(self, path: str) -> Optional[str]:
        mount = self.mount(path)
        if mount.kind == "symlink" and mount.at == path:
            return mount.source
        found, _ = self.find(path)
        return str(Path(found).readlink()) if found and Path(found).is_symlink() else None


def _parts(path: str) -> List[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
