"""Ownership and modes of everything below a folder: what differs, and how to mend it."""

from __future__ import annotations

from typing import Dict, Iterator, List, Mapping, Tuple

from vitrify.core import place
from vitrify.core.digest import JSON
from vitrify.core.system import Stat, System

EXECUTABLE = 0o111


def mode_of(mode: str, stat: Stat) -> str:
    """The mode that an entry shall have where its folder shall have `mode`.

    A file gets no permission to execute that it has not already: what `X` means to chmod. Set-id and sticky bits are the folder's alone.
    """
    bits = int(mode, 8)
    if stat.type == "directory":
        return f"{bits:04o}"
    keeps = EXECUTABLE if int(stat.mode, 8) & EXECUTABLE else 0
    return f"{bits & 0o666 | bits & keeps:04o}"


def wished(properties: Mapping[str, JSON], stat: Stat) -> Dict[str, JSON]:
    """What of mode, owner and group an entry below shall have."""
    found = {name: properties[name] for name in ("owner", "group") if name in properties}
    return {**found, "mode": mode_of(str(properties["mode"]), stat)} if "mode" in properties else found


def differing(top: str, properties: Mapping[str, JSON], system: System) -> List[JSON]:
    """The paths below `top`, relative to it, that are not as wished. Links are left alone and not followed."""
    return [path[len(top.rstrip("/")) + 1 :] for path, stat in entries(top, system) if _differs(properties, stat)]


def mend(path: str, properties: Mapping[str, JSON], system: System) -> None:
    """Make one entry as wished; one that is gone by now, or became a link, is left alone."""
    stat = system.stat(path)
    if stat is not None and stat.type in ("file", "directory") and _differs(properties, stat):
        system.set_attributes(path, place.attributes(wished(properties, stat)))


def entries(top: str, system: System) -> Iterator[Tuple[str, Stat]]:
    """Every file and folder below `top`."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        for name in system.names(folder):
            path = f"{folder.rstrip('/')}/{name}"
            stat = system.stat(path)
            if stat is None or stat.type not in ("file", "directory"):
                continue
            yield path, stat
            if stat.type == "directory":
                waiting.append(path)


def _differs(properties: Mapping[str, JSON], stat: Stat) -> bool:
    seen = place.seen(stat)
    return any(seen[name] != value for name, value in wished(properties, stat).items())


def remove_all(path: str, system: System) -> None:
    """Take away whatever is at a path, and all that lies below it; a link is taken away, never followed."""
    stat = system.stat(path)
    if stat is not None and stat.type == "directory":
        for name in system.names(path):
            remove_all(f"{path.rstrip('/')}/{name}", system)
    system.remove(path)
