"""Finds a path beneath a root, by folder descriptors: no link, and nobody who swaps one in, can lead out of it.

A root may have several layers (an image: what was baked so far, over what it stands on). They are shown as one tree, by
the rules of an overlay filesystem: the upper layer hides the lower, a character device 0/0 hides what is below it.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence, Tuple, Union

from vitrify.core.diagnostic import TargetFailed

Parts = Tuple[str, ...]
"""The names on the way from the root; each a real folder, never a link, except perhaps the last."""

FOLLOWED = 40
OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPAQUE = ("user.overlay.opaque", "trusted.overlay.opaque")


@dataclass(frozen=True)
class Entry:
    """One entry of the shown tree: what `lstat` says, and which layer it is in (0 is the upper)."""

    layer: int
    status: os.stat_result


@dataclass(frozen=True)
class Spot:
    """Where a path leads: its parts with links in the way resolved, and the folder that holds it in every layer."""

    parts: Parts
    folders: Tuple[Optional[int], ...]
    """A descriptor per layer; None where the layer has no such folder, or an upper one hides it."""

    @property
    def name(self) -> str:
        """The last name; `.` for the root itself."""
        return self.parts[-1] if self.parts else "."

    @property
    def path(self) -> str:
        """The resolved path within the target."""
        return "/" + "/".join(self.parts)

    def entry(self) -> Optional[Entry]:
        """What is there; None where nothing is, or where it was hidden."""
        return shown(self.folders, self.name)


def is_whiteout(status: os.stat_result) -> bool:
    """Whether this entry says that nothing is here, whatever the layers below hold."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def shown(folders: Sequence[Optional[int]], name: str) -> Optional[Entry]:
    """The entry of this name that the upmost layer shows."""
    for layer, folder in enumerate(folders):
        status = look(folder, name) if folder is not None else None
        if status is not None:
            return None if layer < len(folders) - 1 and is_whiteout(status) else Entry(layer, status)
    return None


def look(folder: int, name: str) -> Optional[os.stat_result]:
    """`lstat` in one layer; None where there is nothing."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


class Beneath:
    """One tree out of layers, the upper first. Keeps no descriptor open between two calls."""

    def __init__(self, layers: Sequence[str]) -> None:
        self.layers = tuple(layers)

    @contextmanager
    def at(self, path: str, *, follow: bool = False) -> Iterator[Spot]:
        """The spot of an absolute path. Links in the way are followed within the root, the last name only with `follow`.

        Raises FileNotFoundError or NotADirectoryError where a folder on the way is missing.
        """
        walk = _Walk(self.layers)
        try:
            yield walk.to(path, follow=follow)
        finally:
            walk.close()

    @contextmanager
    def folder(self, path: str, *, follow: bool = False) -> Iterator[Tuple[Spot, Tuple[Optional[int], ...]]]:
        """The spot of a folder, and the folder itself in every layer that shows something in it."""
        with self.at(path, follow=follow) as spot:
            inner = descend(spot.folders, spot.name) if spot.parts else tuple(spot.folders)
            try:
                yield spot, inner
            finally:
                if spot.parts:
                    close(inner)

    def names(self, path: str) -> Tuple[str, ...]:
        """The names that a folder shows, sorted."""
        with self.folder(path) as (_, folders):
            return shown_names(folders)


def shown_names(folders: Sequence[Optional[int]]) -> Tuple[str, ...]:
    """All names in these layers of one folder but the hidden ones, sorted."""
    found: Dict[str, bool] = {}
    for layer, folder in enumerate(folders):
        for name in os.listdir(folder) if folder is not None else ():
            if name in found:
                continue
            status = look(folder, name) if folder is not None and len(folders) > 1 else None
            found[name] = status is None or layer == len(folders) - 1 or not is_whiteout(status)
    return tuple(sorted(name for name, visible in found.items() if visible))


def descend(folders: Sequence[Optional[int]], name: str) -> Tuple[Optional[int], ...]:
    """Open a folder in every layer that shows something of it. NotADirectoryError or FileNotFoundError where there is none."""
    opened: List[Optional[int]] = []
    hidden = False
    try:
        for folder in folders:
            inner = None if folder is None or hidden else _enter(folder, name, above=opened)
            hidden = hidden or inner == _HIDES or (len(folders) > 1 and inner is not None and inner != _HIDES and is_opaque(inner))
            opened.append(None if inner == _HIDES else inner)
    except BaseException:
        close(opened)
        raise
    if not any(item is not None for item in opened):
        raise FileNotFoundError(errno.ENOENT, "no such folder", name)
    return tuple(opened)


_HIDES = -1
"""What is here is no folder, and hides the folders of this name below."""


def _enter(folder: int, name: str, *, above: Sequence[Optional[int]]) -> Optional[int]:
    status = look(folder, name)
    if status is None:
        return None
    if stat.S_ISDIR(status.st_mode):
        return os.open(name, OPEN_FOLDER, dir_fd=folder)
    if is_whiteout(status) or any(item is not None for item in above):
        return _HIDES
    raise NotADirectoryError(errno.ENOTDIR, "not a folder", name)


def is_opaque(folder: Union[int, str]) -> bool:
    """Whether a folder hides all that layers beneath have in it."""
    for name in _OPAQUE:
        try:
            if os.getxattr(folder, name) == b"y":
                return True
        except OSError:
            continue
    return False


def close(descriptors: Sequence[Optional[int]]) -> None:
    """Close these."""
    for descriptor in descriptors:
        if descriptor is not None:
            os.close(descriptor)


class _Walk:
    """One way down from the root, restarted at each link."""

    def __init__(self, layers: Sequence[str]) -> None:
        self._roots: List[Optional[int]] = []
        self._folders: Tuple[Optional[int], ...] = ()
        try:
            for layer in layers:
                self._roots.append(os.open(layer, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except BaseException:
            self.close()
            raise
        self._folders = tuple(self._roots)

    def close(self) -> None:
        self._up()
        close(self._roots)

    def to(self, path: str, *, follow: bool) -> Spot:
        done: List[str] = []
        left = [part for part in path.split("/") if part not in ("", ".")]
        links = 0
        while left:
            part = left.pop(0)
            if part == "..":
                left, done = [*done[:-1], *left], []
                self._up()
                continue
            if left and self._enter(part):
                done.append(part)
                continue
            target = self._link(part, (*done, part)) if left or follow else None
            if target is None and not left:
                return Spot((*done, part), self._folders)
            if target is None:
                self._down(part)
                done.append(part)
                continue
            links += 1
            if links > FOLLOWED:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            onward = [name for name in target.split("/") if name not in ("", ".")]
            left, done = [*([] if target.startswith("/") else done), *onward, *left], []
            self._up()
        return Spot(tuple(done), self._folders)

    def _enter(self, part: str) -> bool:
        """Go on into a real folder at once, where there is one layer only; whatever else is there is looked at with more care."""
        if len(self._roots) > 1 or self._folders[0] is None:
            return False
        try:
            inner = os.open(part, OPEN_FOLDER, dir_fd=self._folders[0])
        except OSError:
            return False
        self._up()
        self._folders = (inner,)
        return True

    def _down(self, part: str) -> None:
        inner = descend(self._folders, part)
        self._up()
        self._folders = inner

    def _up(self) -> None:
        if self._folders != tuple(self._roots):
            close(self._folders)
            self._folders = tuple(self._roots)

    def _link(self, name: str, parts: Parts) -> Optional[str]:
        entry = shown(self._folders, name)
        if entry is None or not stat.S_ISLNK(entry.status.st_mode):
            return None
        folder = self._folders[entry.layer]
        assert folder is not None  # noqa: S101  `shown` found the entry in it
        self._trust(os.fstat(folder), entry.status, parts)
        return os.readlink(name, dir_fd=folder)

    def _trust(self, folder: os.stat_result, link: os.stat_result, parts: Parts) -> None:
        """Whoever may write a folder could point a link in it anywhere, at any time: such links are not followed."""
        trusted = {0, os.geteuid(), *(os.fstat(root).st_uid for root in self._roots if root is not None)}
        others_write = folder.st_mode & 0o022 != 0
        if folder.st_uid in trusted and (link.st_uid in trusted or not others_write):
            return
        raise TargetFailed(
            f"/{'/'.join(parts)} is a link that is not followed",
            why="its folder can be written by somebody else than root, who could point it elsewhere",
            hint="name the path that it leads to",
        )
