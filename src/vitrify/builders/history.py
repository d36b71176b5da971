"""Why a layer has to be baked: what it was made of when this image was last baked, beside what it is made of now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vitrify.builders.cut import Slice
from vitrify.builders.shelf import Shelf
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.ports import BakeRequest

_ENOUGH = 16
"""Digits of a digest that tell one wish from another here, where nothing but a word to a person depends on it."""


@dataclass(frozen=True)
class Parts:
    """What decides a layer: its means, what it stands on, the layers between, and each of its wishes."""

    means: str
    base: str
    beneath: str
    wishes: Mapping[str, str]

    @classmethod
    def of(cls, piece: Slice, *, means: JSON, base: str, beneath: JSON) -> Parts:
        """The parts of this layer."""
        wishes = {str(resource["address"]): _short(dict(resource)) for resource in piece.resources}
        return cls(_short(means), _short(base), _short(beneath), wishes)

    @classmethod
    def read(cls, data: JSON) -> Parts | None:
        """What `note` wrote."""
        found = data if isinstance(data, dict) else {}
        wishes = found.get("wishes")
        if not isinstance(wishes, dict):
            return None
        named = {name: str(value) for name, value in wishes.items()}
        return cls(str(found.get("means")), str(found.get("base")), str(found.get("beneath")), named)

    def note(self) -> JSONObject:
        """What `read` reads."""
        return {"means": self.means, "base": self.base, "beneath": self.beneath, "wishes": dict(self.wishes)}


def why(now: Parts, before: Parts | None) -> str:
    """In a few words, why a layer that is made of this is baked where it was made of that."""
    if before is None:
        return "it is new"
    if now.means != before.means:
        return "vitrify, or what is pinned, changed"
    if now.base != before.base:
        return "the base changed"
    changed = [address for address, wish in now.wishes.items() if before.wishes.get(address) != wish]
    gone = [address for address in before.wishes if address not in now.wishes]
    if changed or gone:
        more = len(changed) + len(gone) - 1
        first = f"{changed[0]} {'changed' if changed[0] in before.wishes else 'is new'}" if changed else f"{gone[0]} left"
        return first + (f", and {more} more" if more else "")
    return "a layer beneath it changed" if now.beneath != before.beneath else "it is not here any more"


class History:
    """What the layers of one image were made of, by name; read when it is first asked for."""

    def __init__(self, store: Shelf, request: BakeRequest) -> None:
        self._store = store
        self._key = digest_of({"labels": dict(request.labels), "server": request.server, "base": request.base})
        self._known: JSONObject | None = None
        self._new: JSONObject = {}

    def read(self, piece: Slice) -> Parts | None:
        """What the layer of this name was made of."""
        return Parts.read(self._all().get(piece.name))

    def note(self, piece: Slice, parts: Parts) -> None:
        """What it is made of now."""
        self._new[piece.name] = parts.note()

    def write(self) -> None:
        """Keep what was noted."""
        if self._new:
            self._store.remember("histories", self._key, {**self._all(), **self._new})

    def _all(self) -> JSONObject:
        if self._known is None:
            self._known = self._store.recall("histories", self._key) or {}
        return self._known


def _short(value: JSON) -> str:
    return digest_of(value)[-_ENOUGH:]
