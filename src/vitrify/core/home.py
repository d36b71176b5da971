"""A user's home as a folder: made from `/etc/skel`, handed on, and taken away."""

from __future__ import annotations

from typing import Iterator, Mapping, Tuple

from vitrify.core import place
from vitrify.core.system import Attributes, Stat, System

SKELETON = "/etc/skel"


def there(path: str, system: System) -> bool:
    """Whether there is anything at this path."""
    return system.stat(path) is not None


def make(path: str, *, uid: str, gid: str, mode: str, system: System) -> None:
    """The home with what a new one holds. One that is there keeps what it has, and is only finished where it is this user's."""
    found = system.stat(path)
    if found is not None and (found.type != "directory" or found.owner != uid):
        return
    for folder in place.ancestors(path):
        if system.stat(folder) is None:
            system.make_directory(folder, attributes=Attributes())
    if found is None:
        system.make_directory(path, attributes=Attributes(mode=mode, owner=uid, group=gid))
    for name, stat in entries(SKELETON, system):
        if system.stat(f"{path}/{name}") is None:
            _copy(f"{SKELETON}/{name}", stat, to=f"{path}/{name}", owner=Attributes(stat.mode, uid, gid), system=system)


def _copy(source: str, stat: Stat, *, to: str, owner: Attributes, system: System) -> None:
    if stat.type == "directory":
        system.make_directory(to, attributes=owner)
    elif stat.type == "link":
        system.make_link(to, to=stat.link)
    elif stat.type == "file":
        system.write(to, system.read(source), attributes=owner)


def entries(folder: str, system: System, *, beneath: str = "") -> Iterator[Tuple[str, Stat]]:
    """Everything below a folder by its relative path, a folder before what is in it; no link is followed."""
    top = system.stat(folder)
    if top is None or top.type != "directory":
        return
    for name in system.names(folder):
        stat = system.stat(f"{folder}/{name}")
        if stat is not None:
            yield f"{beneath}{name}", stat
            if stat.type == "directory":
                yield from entries(f"{folder}/{name}", system, beneath=f"{beneath}{name}/")


def unused(path: str, system: System) -> bool:
    """Whether a home holds nothing but what it was made with."""
    made = dict(entries(SKELETON, system))
    return all(_same(made.get(name), stat, name, path, system) for name, stat in entries(path, system))


def _same(made: object, stat: Stat, name: str, path: str, system: System) -> bool:
    if not isinstance(made, Stat) or (made.type, made.link) != (stat.type, stat.link):
        return False
    return stat.type != "file" or system.read(f"{path}/{name}") == system.read(f"{SKELETON}/{name}")


def remove(path: str, system: System) -> None:
    """The folder with all that is in it."""
    for name, _ in reversed(tuple(entries(path, system))):
        system.remove(f"{path}/{name}")
    system.remove(path)


def hand_on(path: str, *, users: Mapping[str, str], groups: Mapping[str, str], system: System) -> None:
    """Give what belongs to an old user or group to the new one; what is neither file nor folder has no owner that can be set."""
    top = system.stat(path)
    if top is None or top.type != "directory":
        return
    for place_of, stat in ((path, top), *((f"{path}/{name}", stat) for name, stat in entries(path, system))):
        owner, group = users.get(stat.owner), groups.get(stat.group)
        if (owner or group) and stat.type in ("file", "directory"):
            system.set_attributes(place_of, Attributes(owner=owner, group=group))
