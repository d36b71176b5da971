"""Every difference between an instance's sealed root and its image: whatever lies in an upper layer had no right to be written.

Names and contents there may be hostile: folders are opened one name at a time and never through a link, only regular
files are read, and a folder that cannot be read is itself a finding.
"""

from __future__ import annotations

import contextlib
import grp
import hashlib
import os
import pwd
import stat
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from vitrify.core.digest import JSON, PLAIN, JSONObject
from vitrify.onhost.rootview import Folders, is_opaque, is_whiteout, step

LARGEST = 1 << 30
"""Bytes of a file beyond which its content is not read: a sparse file of a terabyte costs an intruder nothing."""

DEEPEST = 256
"""Folders in each other that are looked into: more than any image has, and what lies below is part of a finding already."""

NAMES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}


@dataclass(frozen=True)
class Entry:
    """One entry of a layer, not followed."""

    type: str
    mode: str
    owner: str
    group: str
    size: int
    mtime: int
    content: str = ""
    """`sha256:…` of a file, the target of a link."""

    def to_json(self) -> JSONObject:
        """The form of a finding."""
        return {
            "type": self.type,
            "mode": self.mode,
            "owner": self.owner,
            "group": self.group,
            "size": self.size,
            "mtime": self.mtime,
            "content": self.content,
        }


@dataclass(frozen=True)
class Layer:
    """One sealed overlay: where it is mounted, where its writes land, what lies beneath, topmost first."""

    at: str
    upper: str
    lowers: Folders


def layer(data: JSON) -> Layer:
    """Read what `spec.json` keeps."""
    if not isinstance(data, dict) or not isinstance(data["lowers"], list):
        raise TypeError("not a layer")
    return Layer(str(data["at"]), str(data["upper"]), tuple(str(lower) for lower in data["lowers"]))


@dataclass(frozen=True)
class _Folder:
    """A folder of an upper layer on the way: the names that lead to it, and what merges beneath it."""

    parts: Tuple[str, ...]
    lowers: Folders


def altered(layers: Sequence[Layer], *, deepest: int = DEEPEST) -> List[JSONObject]:
    """All findings, in order of path."""
    found = [finding for one in layers for finding in _walk(one, deepest)]
    return sorted(found, key=lambda finding: str(finding["path"]))


def _walk(one: Layer, deepest: int) -> Iterator[JSONObject]:
    todo = [_Folder((), one.lowers)]
    while todo:
        folder = todo.pop()
        place = "/".join([one.at.rstrip("/"), *folder.parts])
        if len(folder.parts) > deepest:
            yield _finding(place, "changed", (f"lies {deepest} folders deep: not looked into",))
            continue
        try:
            descriptor = _open(one.upper, folder.parts)
        except OSError as error:
            yield _finding(place or "/", "changed", (f"cannot be looked into: {os.strerror(error.errno or 0)}",))
            continue
        try:
            for name in sorted(entry.name for entry in os.scandir(descriptor)):
                yield from _compare(descriptor, name, folder.lowers, f"{place}/{name}")
                below = _below(descriptor, name, folder)
                if below:
                    todo.append(below)
        finally:
            os.close(descriptor)


def _open(upper: str, parts: Sequence[str]) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(upper, flags)
    for part in parts:
        try:
            inner = os.open(part, flags, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def _below(descriptor: int, name: str, folder: _Folder) -> Optional[_Folder]:
    here = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    if not stat.S_ISDIR(here.st_mode):
        return None
    hides = is_opaque(f"/proc/self/fd/{descriptor}/{name}")
    return _Folder((*folder.parts, name), () if hides else step(folder.lowers, name)[1])


def _compare(descriptor: int, name: str, lowers: Folders, path: str) -> Iterator[JSONObject]:
    there, merged = step(lowers, name)
    old = _look(there) if there else None
    here = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    if is_whiteout(here):
        if old:
            yield _finding(path, "removed", (f"was a {old.type}",), old=old, seen_at=int(here.st_mtime))
        return
    new = _look(name, descriptor)
    if old is None:
        yield _finding(path, "added", (f"{new.type} {new.mode} {new.owner}:{new.group}",), new=new)
        return
    details = _details(old, new)
    if details:
        yield _finding(path, "changed", details, old=old, new=new)
    if merged and new.type == "directory" and is_opaque(f"/proc/self/fd/{descriptor}/{name}"):
        yield from _hidden(descriptor, name, merged, path)


def _hidden(descriptor: int, name: str, merged: Folders, path: str) -> Iterator[JSONObject]:
    """What an opaque folder hides and does not hold itself: it was removed with the folder that stood here before."""
    kept = set(_names(f"/proc/self/fd/{descriptor}/{name}"))
    for lost in sorted({inner for folder in merged for inner in _names(folder)} - kept):
        there, _ = step(merged, lost)
        if there:
            old = _look(there)
            yield _finding(f"{path}/{lost}", "removed", (f"was a {old.type}",), old=old)


def _names(folder: str) -> List[str]:
    with contextlib.suppress(OSError):
        return [entry.name for entry in os.scandir(folder)]
    return []


def _look(path: str, descriptor: Optional[int] = None) -> Entry:
    found = os.stat(path, dir_fd=descriptor, follow_symlinks=False)
    content = ""
    if stat.S_ISLNK(found.st_mode):
        content = os.readlink(path, dir_fd=descriptor)
    elif stat.S_ISREG(found.st_mode):
        content = _digest(path, descriptor, found.st_size)
    return Entry(
        type=NAMES.get(stat.S_IFMT(found.st_mode), "other"),
        mode=f"{stat.S_IMODE(found.st_mode):04o}",
        owner=_owner(found.st_uid),
        group=_group(found.st_gid),
        size=found.st_size if stat.S_ISREG(found.st_mode) else 0,
        mtime=int(found.st_mtime),
        content=content,
    )


def _digest(path: str, descriptor: Optional[int], size: int) -> str:
    if size > LARGEST:
        return "too large to be read"
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=descriptor)
    except OSError:
        return "cannot be read"
    sha256 = hashlib.sha256()
    with os.fdopen(opened, "rb", buffering=0) as file:
        # Not beyond the size seen: a file that grows as fast as it is read must not hold the audit.
        while size > 0:
            data = file.read(min(size, 1 << 20))
            if not data:
                break
            sha256.update(data)
            size -= len(data)
    return PLAIN + sha256.hexdigest()


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _details(old: Entry, new: Entry) -> Tuple[str, ...]:
    """What differs; nothing for a copy that the kernel made when a file was opened for writing and then left alone."""
    if old.type != new.type:
        return (f"{old.type} -> {new.type}",)
    found = [f"{name} {before} -> {after}" for name, before, after in _pairs(old, new) if before != after]
    return tuple(found)


def _pairs(old: Entry, new: Entry) -> Tuple[Tuple[str, str, str], ...]:
    what = "target" if new.type == "link" else "content"
    mode = (("mode", old.mode, new.mode),) if new.type != "link" else ()
    owners = (("owner", old.owner, new.owner), ("group", old.group, new.group))
    return (*mode, *owners, ("size", str(old.size), str(new.size)), (what, old.content, new.content))


def _finding(  # noqa: PLR0913  three of them are left out where there is nothing to say
    path: str,
    change: str,
    details: Tuple[str, ...],
    *,
    old: Optional[Entry] = None,
    new: Optional[Entry] = None,
    seen_at: Optional[int] = None,
) -> JSONObject:
    found: Dict[str, JSON] = {"path": path, "change": change, "details": list(details)}
    found["old"], found["new"] = (old.to_json() if old else None), (new.to_json() if new else None)
    found["modified_at"] = new.mtime if new else seen_at
    found["owner"] = new.owner if new else ""
    return found
