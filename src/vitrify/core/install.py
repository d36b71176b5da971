"""The links by which systemd's units are enabled and masked, made where no systemd runs: in a folder and in an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, FrozenSet, List, Optional, Sequence, Set, Tuple

from vitrify.core import place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.system import Stat, System

ADMIN = "/etc/systemd/system"
VENDOR = ("/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
NOWHERE = "/dev/null"
_LISTS = ("WantedBy", "RequiredBy", "Alias", "Also", "DefaultInstance")
_DEEPEST = 8
"""Units that enable each other by `Also`; more would be a circle."""


@dataclass(frozen=True)
class Installed:
    """A unit file that was found, and what its section `[Install]` says."""

    name: str
    path: str
    says: Dict[str, List[str]]


def masked(name: str, system: System) -> bool:
    """Whether the unit's place is taken by a link to nowhere."""
    return _nowhere(system.stat(f"{ADMIN}/{name}"))


def _nowhere(stat: Optional[Stat]) -> bool:
    return stat is not None and stat.type == "link" and stat.link == NOWHERE


def mask(name: str, system: System) -> None:
    """Take the unit's place."""
    path = f"{ADMIN}/{name}"
    found = system.stat(path)
    if found is not None and found.type != "link":
        raise TargetFailed(
            f"{name} cannot be masked", why=f"{path} is a {found.type}, in whose place the link would be", hint="remove that file instead"
        )
    place.make_folders(path, system)
    system.make_link(path, to=NOWHERE)


def unmask(name: str, system: System) -> None:
    """Give the unit its place back."""
    if masked(name, system):
        system.remove(f"{ADMIN}/{name}")


def find(name: str, system: System) -> Optional[Installed]:
    """The unit's file, or that of the template that it is an instance of; a mask hides neither. None where there is no such unit."""
    for one in (name, _template(name)):
        for folder in (ADMIN, *VENDOR) if one else ():
            path = f"{folder}/{one}"
            stat = system.stat(path)
            if stat is not None and stat.type == "link" and stat.link != NOWHERE:
                return _linked(name, path, stat, system)
            if stat is not None and stat.type == "file":
                return Installed(name, path, _install(system.read(path)))
    return None


def _linked(name: str, path: str, stat: Stat, system: System) -> Optional[Installed]:
    """A link to a unit elsewhere, or an alias: what it leads to is what there is."""
    to = stat.link if stat.link.startswith("/") else f"{place.parent(path)}/{stat.link}"
    other = to.rpartition("/")[2]
    if other != name and other != _template(name):
        return find(other, system)
    end = system.stat(to) if ".." not in to.split("/") else None
    return Installed(name, to, _install(system.read(to))) if end is not None and end.type == "file" else None


def _template(name: str) -> str:
    stem, _, suffix = name.rpartition(".")
    before, at, instance = stem.partition("@")
    return f"{before}@.{suffix}" if at and instance else ""


def _install(content: bytes) -> Dict[str, List[str]]:
    """The lists of the section `[Install]`; an empty assignment clears what stood before it."""
    says: Dict[str, List[str]] = {}
    section = ""
    for line in content.decode("utf-8", "replace").replace("\\\n", " ").splitlines():
        text = line.strip()
        if text.startswith("["):
            section = text
        elif section == "[Install]" and "=" in text and not text.startswith(("#", ";")):
            key, _, value = text.partition("=")
            if key.strip() in _LISTS:
                says[key.strip()] = [*says.get(key.strip(), []), *value.split()] if value.strip() else []
    return says


def can_be(unit: Installed) -> bool:
    """Whether enabling means anything for this unit; one without `[Install]` is started by others alone."""
    return any(unit.says.get(name) for name in ("WantedBy", "RequiredBy", "Alias", "Also"))


def links(name: str, system: System) -> Dict[str, str]:
    """Path -> where it leads, for every link that enables this unit and those that come along with it."""
    found: Dict[str, str] = {}
    for unit in _with_others(name, system):
        instance = _instance(unit)
        words = {"%i": instance, "%p": unit.name.partition("@")[0], "%n": unit.name, "%%": "%"}
        for key, folder in (("WantedBy", "wants"), ("RequiredBy", "requires")):
            for other in unit.says.get(key, []):
                found[f"{ADMIN}/{_filled(other, words)}.{folder}/{_with_instance(unit.name, instance)}"] = unit.path
        for alias in unit.says.get("Alias", []):
            found[f"{ADMIN}/{_filled(alias, words)}"] = unit.path
    return found


def _with_others(name: str, system: System) -> Tuple[Installed, ...]:
    """The unit and those that its `Also` names, each once."""
    found: Dict[str, Installed] = {}
    waiting: List[Tuple[str, int]] = [(name, 0)]
    while waiting:
        one, depth = waiting.pop()
        unit = find(one, system) if one not in found and depth < _DEEPEST else None
        if unit is not None:
            found[one] = unit
            waiting += [(other, depth + 1) for other in unit.says.get("Also", [])]
    return tuple(found.values())


def _instance(unit: Installed) -> str:
    stem = unit.name.rpartition(".")[0]
    given = stem.partition("@")[2]
    default = unit.says.get("DefaultInstance", [])
    return given or (default[-1] if default and stem.endswith("@") else "")


def _with_instance(name: str, instance: str) -> str:
    stem, _, suffix = name.rpartition(".")
    return f"{stem}{instance}.{suffix}" if stem.endswith("@") else name


def _filled(text: str, words: Dict[str, str]) -> str:
    for sign, word in words.items():
        text = text.replace(sign, word)
    return text


def enabled(name: str, system: System) -> bool:
    """Whether every link is there that enabling makes; no matter how a link is written, it counts by what it leads to."""
    wanted = links(name, system)
    return bool(wanted) and all(_leads(path, to, system) for path, to in wanted.items())


def _leads(path: str, to: str, system: System) -> bool:
    stat = system.stat(path)
    return stat is not None and stat.type == "link" and stat.link.rpartition("/")[2] == to.rpartition("/")[2]


def enable(name: str, system: System) -> None:
    """Make the links that `systemctl enable` makes."""
    unit = find(name, system)
    if unit is None:
        raise TargetFailed(
            f"there is no unit {name} to enable",
            why=f"no such file in {', '.join((ADMIN, *VENDOR))}",
            hint="declare before it what brings it: a `package`, a `unit` or a `file`",
        )
    for path, to in links(name, system).items():
        if not _leads(path, to, system):
            place.make_folders(path, system)
            system.make_link(path, to=to)


def disable(name: str, system: System) -> None:
    """Remove every link below /etc by which something wants this unit, or names it otherwise; folders that are empty then go too."""
    names = {_with_instance(unit.name, _instance(unit)) for unit in _with_others(name, system)} | {name}
    aliases = {path for path in links(name, system) if place.parent(path) == ADMIN}
    for path in sorted(_wanting(names, system) | {path for path in aliases if _is_link(path, system)}):
        system.remove(path)
        folder = place.parent(path)
        if folder != ADMIN and not system.names(folder):
            system.remove(folder)


def _is_link(path: str, system: System) -> bool:
    stat = system.stat(path)
    return stat is not None and stat.type == "link"


def _wanting(names: Set[str], system: System) -> FrozenSet[str]:
    found: Set[str] = set()
    for folder in _names(ADMIN, system):
        if folder.endswith((".wants", ".requires")):
            found.update(f"{ADMIN}/{folder}/{name}" for name in _names(f"{ADMIN}/{folder}", system) if name in names)
    return frozenset(path for path in found if _is_link(path, system))


def _names(folder: str, system: System) -> Sequence[str]:
    stat = system.stat(folder)
    return system.names(folder) if stat is not None and stat.type == "directory" else ()
