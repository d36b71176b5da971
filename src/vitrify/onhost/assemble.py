"""Makes the folders of an instance: where each layer takes what is written, mount points, what is declared writable."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core.diagnostic import Denied, TargetFailed
from vitrify.core.digest import JSONObject
from vitrify.onhost.mounts import Mount
from vitrify.onhost.rootview import RootView
from vitrify.onhost.sandbox import Step

ANYBODY = {"/tmp": 0o1777, "/var/tmp": 0o1777}  # noqa: S108  paths inside an instance
"""Modes of writable folders that everybody expects; others have the image's, or 0755 where it holds none."""


NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Place:
    """Where an instance's folders are made, where they will lie in the end, and whose they are."""

    making: str
    final: str
    user: str = ""

    def folder(self, name: str, *, mode: int = 0o755) -> str:
        """Make a folder that the instance's user owns; returns its final path."""
        path = Path(self.making, name)
        path.mkdir(parents=True)
        path.chmod(mode)
        if self.user and os.geteuid() == 0:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)
        return f"{self.final}/{name}"


def assemble(plan: Sequence[Mount], writable: Sequence[str], place: Place, *, volumes: Mapping[str, str] = NONE) -> Tuple[Step, ...]:
    """The steps that put the instance's root together, with every folder that they need made.

    `volumes` are folders that outlive the instance, by the path where it sees them; they hide what the image has there.
    """
    view = RootView(tuple(plan))
    kept = {view.resolve(path): folder for path, folder in volumes.items()}
    targets = [replace(target, kept=kept.get(target.path, "")) for target in _targets(view, [*writable, *volumes])]
    points = _Points(place)
    steps = [_step(index, mount, place, points.below(mount, targets)) for index, mount in enumerate(plan) if mount.kind != "symlink"]
    for mount in plan:
        points.show(mount)
    return (*steps, *(_writable(index, target, place) for index, target in enumerate(targets)))


@dataclass(frozen=True)
class _Target:
    """A folder declared writable: its path without links, what the image holds there."""

    path: str
    lowers: Tuple[str, ...]
    kept: str = ""
    """The folder that is seen there instead, where it is one that outlives the instance."""


def _targets(view: RootView, writable: Sequence[str]) -> List[_Target]:
    found: List[_Target] = []
    for path in sorted({view.resolve(path) for path in writable}):
        if path in ("/", "/proc") or path.startswith("/proc/"):
            raise Denied(f"{path} cannot be writable", hint="name the folders that the process writes to")
        if any(path.startswith(outer.path + "/") for outer in found):
            continue
        there, lowers = view.find(path)
        if there and not lowers:
            raise TargetFailed(f"{path} is declared writable and is not a folder in the image")
        found.append(_Target(path, lowers))
    return found


class _Points:
    """Mount points that no layer holds: made in a layer of their own beneath all others, so that nothing else is written."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._root = place.folder("points")

    def below(self, mount: Mount, targets: Sequence[_Target]) -> Optional[str]:
        """The layer to put beneath a mount for the targets on it that need a place; None where none does."""
        at = mount.at.rstrip("/") + "/"
        missing = [target.path for target in targets if not target.lowers and target.path.startswith(at) and mount.at != "/"]
        for path in missing:
            self._make(path)
        if mount.at == "/":
            for target in targets:
                if not target.path.startswith("/dev/"):
                    self._make(target.path)
            return self._root
        return f"{self._root}{mount.at}" if missing and mount.kind in ("overlay", "bind") else None

    def show(self, mount: Mount) -> None:
        """Make the place of one mount, or the link that stands for it."""
        if mount.kind == "symlink":
            Path(f"{self._place.making}/points{mount.at}").symlink_to(mount.source)
        elif mount.at != "/":
            self._make(mount.at)

    def _make(self, path: str) -> None:
        Path(f"{self._place.making}/points{path}").mkdir(parents=True, exist_ok=True)


def _step(index: int, mount: Mount, place: Place, points: Optional[str]) -> Step:
    if mount.kind == "bind" and points is None:
        return Step(mount.at, "bind", source=mount.source)
    if mount.kind in ("overlay", "bind"):
        lowers = mount.lowers or (mount.source,)
        return _overlay(replace(mount, lowers=(*lowers, points) if points else lowers), f"layer{index}", place, writable=False)
    return Step(mount.at, mount.kind)


def _overlay(mount: Mount, name: str, place: Place, *, writable: bool, mode: int = 0o755) -> Step:
    upper, work = place.folder(f"{name}/upper", mode=mode), place.folder(f"{name}/overlay-work")
    return Step(mount.at, "overlay", lowers=mount.lowers, upper=upper, work=work, writable=writable)


def _writable(index: int, target: _Target, place: Place) -> Step:
    if target.kept:
        return Step(target.path, "bind", source=target.kept, writable=True)
    if target.path.startswith("/dev/"):
        return Step(target.path, "tmpfs", writable=True)
    if target.lowers:
        mode = ANYBODY.get(target.path, Path(target.lowers[0]).stat().st_mode & 0o7777)
        return _overlay(Mount(target.path, target.lowers, "overlay"), f"writable{index}", place, writable=True, mode=mode)
    source = place.folder(f"writable{index}", mode=ANYBODY.get(target.path, 0o755))
    return Step(target.path, "bind", source=source, writable=True)


def layers(steps: Sequence[Step]) -> List[JSONObject]:
    """The sealed overlays, as `spec.json` keeps them for whoever looks for alterations."""
    return [_layer(step) for step in steps if step.kind == "overlay" and not step.writable]


def _layer(step: Step) -> JSONObject:
    kept: Dict[str, object] = {"at": step.at, "lowers": list(step.lowers), "upper": step.upper}
    return kept  # type: ignore[return-value]
