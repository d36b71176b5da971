"""A parsed document whose every key and value knows where it was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from vitrify.core.diagnostic import Location
from vitrify.core.digest import JSON

Scalar: TypeAlias = bool | int | str | None


class Node(NamedTuple):
    """One value: a scalar, a tuple of nodes or a map of entries. `filled` says that a variable gave the value its type."""

    value: bool | int | str | tuple[Node, ...] | Mapping[str, Entry] | None
    at: Location
    filled: bool = False

    @property
    def entries(self) -> Mapping[str, Entry]:
        """The entries of a map; nothing for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> tuple[Node, ...]:
        """The items of a list; nothing for anything else."""
        return self.value if isinstance(self.value, tuple) else ()

    def get(self, key: str) -> Node | None:
        """The value of a key, where this is a map that has it."""
        entry = self.entries.get(key)
        return entry.node if entry else None


class Entry(NamedTuple):
    """One key of a map: where the key was written, and its value."""

    at: Location
    node: Node


def plain(node: Node, *, texts: bool = False) -> JSON:
    """The value without its places. With `texts`, a number or boolean that a variable filled in is written out."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(entry.node, texts=texts) for key, entry in value.items()}
    if isinstance(value, tuple):
        return [plain(item, texts=texts) for item in value]
    if texts and node.filled and isinstance(value, (bool, int)):
        return str(value).lower()
    return value  # type: ignore[return-value]  # a Mapping here is always a dict, handled above


def scalars(node: Node) -> Iterator[Node]:
    """Every scalar in a value, in the order of the file."""
    if isinstance(node.value, dict):
        for entry in node.value.values():
            yield from scalars(entry.node)
    elif isinstance(node.value, tuple):
        for item in node.value:
            yield from scalars(item)
    else:
        yield node


def walk(node: Node, path: Iterable[str | int], *, key: bool = False, owner: Location | None = None) -> Location:
    """Where a path leads: to the value, or with `key` to the last key. A path that leads nowhere ends at its last known place.

    `owner` is where the name of the whole was written: the place of what is missing at its top.
    """
    at = owner or node.at
    entry: Entry | None = None
    for step in path:
        entry = node.entries.get(str(step))
        if entry:
            at, node = entry
            continue
        items = node.items
        if not str(step).isdecimal() or int(step) >= len(items):
            return at
        node = items[int(step)]
        at = node.at
    return at if key or entry is None else node.at


def spoken(node: Node) -> str:
    """What a value is, in words."""
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return "a number"
    return "text" if isinstance(value, str) else "a map" if isinstance(value, dict) else "a list"
