"""The kind `tree`: a folder of the project, put in place with all that is in it."""

from __future__ import annotations

from typing import AbstractSet, Dict, List, Mapping, Tuple

from vitrify.core import place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON, digest_of
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System

SHOWN = 3
Entry = Dict[str, JSON]


def _entry_rules(values: Mapping[str, JSON]) -> List[Problem]:
    entries = values.get("entries", {})
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        return [Problem(("entries",), "expected a map of entries")]
    strange = [name for name in entries if not name or name.startswith("/") or any(part in ("", ".", "..") for part in name.split("/"))]
    return [Problem(("entries", name), "not a path below the tree") for name in strange]


class Tree(Kind):
    """A folder and everything in it, as it is in the project.

    Files keep the project's mode. What somebody else put between is foreign and stays; what an earlier version of the tree
    put there and this one has no more is removed. An absent tree takes its own entries away, and its folders where they are empty then.
    """

    name = "tree"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "from": Field(Type.TEXT, "a folder of the project", control=True),
            "to": Field(Type.PATH, "where it goes", required=True),
            "entries": Field(Type.ANY, "relative path -> type, mode and content (a digest) or to (of a link)", resolved=True),
            "owner": place.OWNER,
            "group": place.GROUP,
        },
        needs_one_of=(("from", "entries"),),
        rules=(_entry_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """Where it goes."""
        return str(fields["to"])

    def desired(self, resource: Resource) -> Properties:
        """One digest over all entries, and whom the folder belongs to."""
        if resource.absent:
            return MISSING
        return {"type": "directory", "entries": digest_of(_wishes(resource)), **place.wished(resource.fields)}

    def observe(self, resource: Resource, system: System) -> Observation:
        """All entries in one pass: the digest over them, and the ones that differ by name."""
        top = str(resource.fields["to"])
        found = place.seen(system.stat(top))
        if found["type"] != "directory":
            return Observation(resource.address, found)
        wishes = _wishes(resource)
        real = _look(top, wishes, system)
        found["entries"] = digest_of(real)
        differing: Dict[str, JSON] = {name: seen for name, seen in real.items() if seen != wishes[name]}
        if differing:
            found["differing"] = differing
        if resource.absent:
            found["foreign"] = _foreign(top, wishes, system)
        return Observation(resource.address, found)

    def enact(self, change: Change, system: System) -> None:
        """Take away what is outdated, then put in place what differs; nothing else is touched."""
        resource = change.resource
        top = str(resource.fields["to"])
        if change.action is Action.REMOVE:
            _clear(top, _leaving(change), system)
            _refuse_foreign(change, system)
            return
        _clear_entries(top, _outdated(change), system)
        stat = system.stat(top)
        if stat is not None and stat.type != "directory":
            system.remove(top)
            stat = None
        if stat is None:
            place.need_parent(top, system)
            system.make_directory(top, attributes=place.attributes(change.after))
        elif any(stat_value != change.after.get(name, stat_value) for name, stat_value in (("owner", stat.owner), ("group", stat.group))):
            system.set_attributes(top, place.attributes(change.after))
        wishes = _wishes(resource)
        for name in _concerned(change):
            _put(f"{top}/{name}", wishes[name], system)

    def leftover(self, resource: Resource, previous: Resource, claimed: AbstractSet[str]) -> Properties:
        """The entries that an earlier version put there and this one has no more, and those of an absent one that others took over."""
        top = str(resource.fields["to"])
        earlier = {} if previous.absent else _entries(previous)
        outdated: List[JSON] = [name for name in sorted(earlier) if name not in _entries(resource) and f"{top}/{name}" not in claimed]
        taken: List[JSON] = [name for name in sorted(_entries(resource)) if f"{top}/{name}" in claimed] if resource.absent else []
        return {**({"outdated": outdated} if outdated else {}), **({"taken over": taken} if taken else {})}

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The folder, and of its entries those that differ or are outdated."""
        top = str(change.resource.fields["to"])
        names = _leaving(change) if change.action is Action.REMOVE else sorted({*_concerned(change), *_outdated(change)})
        return (top, *(f"{top}/{name}" for name in names))

    def contents(self, change: Change) -> Tuple[str, ...]:
        """Those of the files that differ."""
        wishes, held = _wishes(change.resource), change.before.get("differing")
        seen = held if isinstance(held, dict) else {}
        files = [(wishes[name], seen.get(name)) for name in _concerned(change) if wishes[name]["type"] == "file"]
        lacking = [wish["content"] for wish, found in files if not isinstance(found, dict) or found.get("content") != wish["content"]]
        return tuple(str(digest) for digest in lacking)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The folder and all entries."""
        top = str(resource.fields["to"])
        return (top, *(f"{top}/{name}" for name in sorted(_entries(resource))))

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folders that hold it; an absent one after all that was in it."""
        return place.after_folders(resource, str(resource.fields["to"]), others)

    def because(self, change: Change) -> Tuple[str, ...]:
        """Names the first few entries that differ."""
        reasons = [reason for reason in change.because if not reason.startswith("entries ")]
        differing = change.before.get("differing")
        if isinstance(differing, dict) and change.action is Action.UPDATE:
            reasons.append(_counted(sorted(differing), one="differs", many="differ"))
        if change.before.get("foreign"):
            reasons.append(_counted(_names(change.before["foreign"]), one="is foreign", many="are foreign"))
        if _outdated(change) and change.action is not Action.REMOVE:
            reasons.append(_counted(_outdated(change), one="left the tree", many="left the tree"))
        return tuple(reasons)


def _counted(names: List[str], *, one: str, many: str) -> str:
    shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    return f"{len(names)} {'entry' if len(names) == 1 else 'entries'} {one if len(names) == 1 else many}: {shown}"


def _entries(resource: Resource) -> Mapping[str, JSON]:
    entries = resource.fields.get("entries")
    return entries if isinstance(entries, dict) else {}


def _outdated(change: Change) -> List[str]:
    return _names(change.before.get("outdated"))


def _leaving(change: Change) -> List[str]:
    """The entries that a removal takes away."""
    return sorted({*_entries(change.resource), *_outdated(change)} - {*_names(change.before.get("taken over"))})


def _names(value: JSON) -> List[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


def _wishes(resource: Resource) -> Dict[str, Entry]:
    """What each entry shall look like, folders before what is in them."""
    ownership = {name: value for name, value in place.wished(resource.fields).items() if name != "mode"}
    return {name: _wish(entry, ownership) for name, entry in sorted(_entries(resource).items()) if isinstance(entry, dict)}


def _wish(entry: Entry, ownership: Mapping[str, JSON]) -> Entry:
    if entry["type"] == "link":
        return {"type": "link", "to": entry["to"]}
    return {"type": entry["type"], **place.wished(entry), **({"content": entry["content"]} if entry["type"] == "file" else {}), **ownership}


def _look(top: str, wishes: Mapping[str, Entry], system: System) -> Dict[str, Entry]:
    """What is in each wished entry's place, told with the wished properties alone."""
    found: Dict[str, Entry] = {}
    closed: Dict[str, bool] = {}
    for name, wish in wishes.items():
        above = name.rpartition("/")[0]
        # What lies behind a link or below a file is not in the tree, whatever it may look like.
        if closed.get(above, False):
            found[name], closed[name] = dict(MISSING), True
            continue
        found[name] = _look_at(f"{top}/{name}", wish, system)
        closed[name] = found[name]["type"] != "directory"
    return found


def _look_at(path: str, wish: Entry, system: System) -> Entry:
    stat = system.stat(path)
    seen = place.seen(stat)
    if stat is not None and stat.type == "file" and wish["type"] == "file":
        seen["content"] = system.digest(path, keyed=False)
    return {name: value for name, value in seen.items() if name in wish}


def _concerned(change: Change) -> List[str]:
    """The entries that the change puts in place: those that differ, or all where there was no folder."""
    differing = change.before.get("differing")
    if change.before.get("type") == "directory":
        return sorted(differing) if isinstance(differing, dict) else []
    return list(_wishes(change.resource))


def _put(path: str, wish: Entry, system: System) -> None:
    stat = system.stat(path)
    attributes = place.attributes(wish)
    if stat is not None and stat.type != wish["type"]:
        _make_way(path, stat.type, system)
        stat = None
    if wish["type"] == "link":
        system.make_link(path, to=str(wish["to"]))
    elif wish["type"] == "directory" and stat is None:
        system.make_directory(path, attributes=attributes)
    elif wish["type"] == "directory" or (stat is not None and system.digest(path, keyed=False) == wish["content"]):
        system.set_attributes(path, attributes)
    else:
        system.write(path, system.blob(str(wish["content"])), attributes=attributes)


def _make_way(path: str, found: str, system: System) -> None:
    if found == "directory" and system.names(path):
        raise TargetFailed(f"{path} is a folder that is not empty", why="the tree has something else there", hint="move its content away")
    system.remove(path)


def _clear_entries(top: str, names: List[str], system: System) -> None:
    """Innermost first, so that a folder is empty by the time its turn comes."""
    for name in reversed(names):
        _remove_own(f"{top}/{name}", system)


def _clear(top: str, names: List[str], system: System) -> None:
    stat = system.stat(top)
    if stat is not None and stat.type == "directory":
        _clear_entries(top, names, system)
    _remove_own(top, system)


def _foreign(top: str, wishes: Mapping[str, Entry], system: System) -> List[JSON]:
    """What is in the tree's folder, and in whatever folders stand in its entries' places, and is not of the tree."""
    real = [name for name in ("", *wishes) if _is_folder(f"{top}/{name}".rstrip("/"), system)]
    inside = (f"{folder}/{name}".lstrip("/") for folder in real for name in system.names(f"{top}/{folder}".rstrip("/")))
    return [name for name in inside if name not in wishes]


def _is_folder(path: str, system: System) -> bool:
    stat = system.stat(path)
    return stat is not None and stat.type == "directory"


def _refuse_foreign(change: Change, system: System) -> None:
    """A tree that left the declaration may leave its folder behind; one that is declared absent may not."""
    top = str(change.resource.fields["to"])
    if "foreign" in change.before and _is_folder(top, system):
        held = system.names(top)
        why = f"it still holds {', '.join(held[:SHOWN])}{', …' if len(held) > SHOWN else ''}"
        raise TargetFailed(f"{top} is not empty", why=why, hint="declare these absent as well, or take them away")


def _remove_own(path: str, system: System) -> None:
    stat = system.stat(path)
    if stat is not None and (stat.type != "directory" or not system.names(path)):
        system.remove(path)
