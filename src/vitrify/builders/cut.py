"""Cuts resources into layers by how often they change, so that a change remakes little; pure, and true to the written order.

A resource goes as high as its kind belongs, and beneath whatever was written after it and may depend on it. Two resources act
in another order than the written one only where neither can tell: both name all that they touch, and touch nothing in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vitrify.builders.footprint import Declared, Footprint, Prints, footprint
from vitrify.core.digest import JSONObject

LAYERS: Final = ("system", "downloads", "trees", "commands", "files")
"""The layers of resources, the lowest first: what changes seldom, and takes long to make, comes first."""

_APART: Final = frozenset({"downloads", "trees"})
"""Layers of which there is one for each resource: they are large, and one of them changes without the others."""
_MOST_RUNS: Final = 8
"""A stack of layers has an end: of more in one place than these the last holds the rest."""

_RANKS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("repository", "package", "debconf", "user", "group", "locale"), 0),
    **dict.fromkeys(("download", "archive", "git", "venv", "npm"), 1),
    "tree": 2,
    **dict.fromkeys(("command", "script", "http_check", "wait_for"), 3),
}
"""Kind -> its layer; all others are in the last."""


@dataclass(frozen=True)
class Slice:
    """The resources of one layer, in the order in which they act."""

    name: str
    resources: tuple[JSONObject, ...]


@dataclass(frozen=True)
class Cut:
    """Resources in layers, the lowest first. `crossed` are the paths of those that act in another order than written."""

    slices: tuple[Slice, ...]
    crossed: tuple[str, ...] = ()


def whole(resources: Sequence[JSONObject]) -> Cut:
    """All of them in one layer, in the written order."""
    return Cut((Slice(LAYERS[-1], tuple(resources)),))


def cut(resources: Sequence[JSONObject]) -> Cut:
    """The layers of these resources, which are given in the order in which they act; there is always one at least.

    What is added at the end moves nothing in the layers below its own, unless it may depend on what is written above it.
    """
    declared = Declared.of(resources)
    prints = [footprint(resource, declared) for resource in resources]
    slots = _slots(resources, prints)
    found: dict[int, list[JSONObject]] = {}
    for slot, resource in zip(slots, resources, strict=True):
        found.setdefault(slot, []).append(resource)
    slices = tuple(piece for slot, inner in sorted(found.items()) for piece in _pieces(slot, inner))
    return Cut(slices, tuple(sorted(set(_crossed(slots, prints))))) if slices else whole(())


def _pieces(slot: int, resources: Sequence[JSONObject]) -> Iterator[Slice]:
    """The layers of one place: mostly one. Each download and each tree, and each run of what a later one needs, has its own."""
    rank, natural = divmod(slot, 2)
    runs: list[list[JSONObject]] = []
    for resource in resources:
        joins = bool(runs) and (_joins(runs[-1], resource) if not natural or LAYERS[rank] in _APART else True)
        if joins or len(runs) == _MOST_RUNS:
            runs[-1].append(resource)
        else:
            runs.append([resource])
    name = LAYERS[rank] if natural else f"before {LAYERS[rank]}"
    for number, run in enumerate(runs, start=1):
        yield Slice(name if number == 1 else f"{name}, {number}", tuple(run))


def _joins(run: Sequence[JSONObject], resource: JSONObject) -> bool:
    """Whether one shares the layer of those before it: what changes equally often does, and whatever follows mere folders."""
    if all(str(one["address"]).startswith("directory:") for one in run):
        return True
    return _rank(run[-1]) == _rank(resource) and LAYERS[_rank(resource)] not in _APART


def _rank(resource: JSONObject) -> int:
    return _RANKS.get(str(resource["address"]).partition(":")[0], len(LAYERS) - 1)


def _slots(resources: Sequence[JSONObject], prints: Sequence[Footprint]) -> list[int]:
    """The place of each: twice its rank and one, or twice the rank of a later one that needs it, which is just beneath that."""
    slots = [0] * len(resources)
    later = _Later()
    for index in reversed(range(len(resources))):
        own = 2 * _rank(resources[index]) + 1
        lowest = later.lowest(resources[index], prints[index])
        slots[index] = own if lowest is None or lowest >= own else _beneath(lowest, prints[index])
        later.note(resources[index], prints[index], slots[index])
    return slots


def _beneath(slot: int, own: Footprint) -> int:
    """The place of what one in this place needs: just beneath it. A mere folder changes too seldom for a layer of its own."""
    return slot if own.folder else slot - slot % 2


def _crossed(slots: Sequence[int], prints: Sequence[Footprint]) -> Iterator[str]:
    """The paths of whatever acts after one that was written behind it, or before one that was written ahead of it."""
    highest, lowest = -1, 2 * len(LAYERS)
    ahead = []
    for slot in slots:
        ahead.append(slot < highest)
        highest = max(highest, slot)
    for index in reversed(range(len(slots))):
        if ahead[index] or slots[index] > lowest:
            yield from prints[index].paths
        lowest = min(lowest, slots[index])


class _Later:
    """What is written below the resource at hand: asked for the lowest place among those that must not act before it."""

    def __init__(self) -> None:
        self._all: int | None = None
        self._blind: int | None = None
        self._systems: int | None = None
        self._prints = Prints()
        self._places: dict[str, int] = {}
        self._wanted: dict[str, int] = {}

    def lowest(self, resource: JSONObject, own: Footprint) -> int | None:
        """The lowest place of a later resource that this one must not come after."""
        address = str(resource["address"])
        told = self._wanted.get(address)
        if own.opaque:
            return self._all
        if own.system:
            return least(self._blind, self._systems, self._prints.beyond_local, told)
        accounts = (self._places.get(account) for account in own.accounts)
        return least(self._blind, None if own.local else self._systems, told, *accounts, self._prints.lowest(own))

    def note(self, resource: JSONObject, own: Footprint, slot: int) -> None:
        """This one is later than all that is asked about from now on."""
        self._all = least(self._all, slot)
        if own.opaque:
            self._blind = least(self._blind, slot)
        elif own.system:
            self._systems = least(self._systems, slot)
        else:
            self._prints.note(own, slot)
        self._places[str(resource["address"])] = slot
        after = resource.get("after")
        for wanted in (*(after if isinstance(after, list) else ()), *own.accounts):
            self._wanted[str(wanted)] = min(slot, self._wanted.get(str(wanted), slot))


def least(*places: int | None) -> int | None:
    """The lowest of the places that there are."""
    there = [place for place in places if place is not None]
    return min(there) if there else None
