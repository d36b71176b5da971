"""What a resource touches in an image, as far as its fields tell: how a cut knows which resources cannot notice each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from vitrify.core.digest import JSONObject
from vitrify.core.passwd import PATHS as ACCOUNTS
from vitrify.core.resource import Resource
from vitrify.resources.process import Process

LOCAL: Final = ("/opt/", "/srv/")
"""What the file hierarchy standard leaves to whoever runs the machine: no package looks there, or writes there."""

_PATHS: Final = {
    **dict.fromkeys(("file", "directory", "link", "download", "archive"), "path"),
    **dict.fromkeys(("line", "block", "ini", "json", "yaml", "toml", "replace"), "path"),
    "tree": "to",
}
"""Kinds that do all they do at one path and beneath it, and the field that names it."""
_SYSTEM: Final = frozenset({"repository", "package", "debconf", "user", "group", "locale"})


@dataclass(frozen=True)
class Footprint:
    """What one resource writes (`paths`, with all beneath them) and reads; and the accounts that it gives things to.

    `opaque`: nobody can tell what it touches. `system`: packages and accounts, which may touch all but what is `local`.
    `folder`: it is a folder, and nothing in it.
    """

    paths: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    local: bool = False
    opaque: bool = False
    system: bool = False
    folder: bool = False


@dataclass(frozen=True)
class Declared:
    """What must be known of all resources to tell the footprint of one: the paths that are links, and all addresses."""

    links: frozenset[str]
    addresses: frozenset[str]

    @classmethod
    def of(cls, resources: Sequence[JSONObject]) -> Declared:
        """Look through them."""
        links = frozenset(path for resource in resources for path in _links(resource))
        return cls(links, frozenset(str(resource["address"]) for resource in resources))


def footprint(resource: JSONObject, declared: Declared) -> Footprint:
    """What this resource touches. A path that leads through a link says nothing."""
    wish = Resource.from_json(resource)
    kind, fields = wish.address.kind, wish.fields
    if kind in _SYSTEM:
        home = str(fields.get("home", ""))
        return Footprint(opaque=f"{home}/".startswith(LOCAL), system=True)
    if kind == "process":
        return Footprint(tuple(Process().owned_paths(wish)))
    if kind not in _PATHS or "validate" in fields:
        return Footprint(opaque=True)
    path = str(fields[_PATHS[kind]])
    if any(above in declared.links for above in ancestors(path)):
        return Footprint(opaque=True)
    return _at(path, wish, declared)


def _at(path: str, wish: Resource, declared: Declared) -> Footprint:
    """What one does that does all at a path, and beneath it."""
    fields = wish.fields
    owners = [str(fields[name]) for name in ("owner", "group") if fields.get(name) is not None]
    named = [name for name in owners if name != "root" and not name.isdecimal()]
    accounts = tuple(f"{kind}:{name}" for name in named for kind in ("user", "group"))
    source = str(fields["file"]) if wish.address.kind == "archive" and "file" in fields else path
    tables = (ACCOUNTS["passwd"], ACCOUNTS["group"]) if named else ()
    # With its parents it may make any folder above it, but for the outermost ones that every system has.
    top = "/".join(path.split("/")[:2]) if fields.get("parents") else path
    known = all({f"user:{name}", f"group:{name}"} & declared.addresses for name in named)
    local = known and all(f"{place}/".startswith(LOCAL) for place in (path, source))
    return Footprint((top,), (source, *tables), accounts, local, folder=wish.address.kind == "directory")


def _links(resource: JSONObject) -> Iterator[str]:
    kind, fields = str(resource["address"]).partition(":")[0], resource["fields"]
    if not isinstance(fields, dict):
        return
    if kind == "link":
        yield str(fields["path"])
    entries = fields.get("entries")
    if kind == "tree" and isinstance(entries, dict):
        top = str(fields["to"])
        for name, entry in entries.items():
            if isinstance(entry, dict) and entry.get("type") == "link":
                yield f"{top}/{name}"


def ancestors(path: str) -> Iterator[str]:
    """The folders above a path, the nearest first, without the root."""
    above = path.rpartition("/")[0]
    while above:
        yield above
        above = above.rpartition("/")[0]


class Prints:
    """The footprints of many resources, each with a place: finds in a few steps the lowest place of those that one meets."""

    def __init__(self) -> None:
        self._writers, self._readers = _Places(), _Places()
        self.beyond_local: int | None = None
        """The lowest place of one that is not local."""

    def note(self, own: Footprint, place: int) -> None:
        """Remember one."""
        for path in own.paths:
            self._writers.note(path, place)
        for path in own.reads:
            self._readers.note(path, place)
        if not own.local:
            self.beyond_local = place if self.beyond_local is None else min(place, self.beyond_local)

    def lowest(self, own: Footprint) -> int | None:
        """The lowest place of one that writes what this reads or writes, or reads what this writes."""
        met = [self._writers.lowest(path) for path in (*own.paths, *own.reads)] + [self._readers.lowest(path) for path in own.paths]
        there = [place for place in met if place is not None]
        return min(there) if there else None


class _Places:
    """Paths with places."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}
        self._beneath: dict[str, int] = {}

    def note(self, path: str, place: int) -> None:
        path = path.rstrip("/")
        self._at[path] = min(place, self._at.get(path, place))
        for above in ("", *ancestors(path)):
            self._beneath[above] = min(place, self._beneath.get(above, place))

    def lowest(self, path: str) -> int | None:
        """The lowest place of a path that is this one, above it or beneath it."""
        path = path.rstrip("/")
        found = [self._at.get(above) for above in (path, "", *ancestors(path))] + [self._beneath.get(path)]
        there = [place for place in found if place is not None]
        return min(there) if there else None
