"""Under which references the images of a store were pushed or pulled: a note for people, on which nothing rests."""

from __future__ import annotations

from typing import Final

from vitrify.core.digest import JSON
from vitrify.core.reference import Reference
from vitrify.stores.layout import LayoutStore

_TOPIC: Final = "names"
_MOST: Final = 16


class Names:
    """The notes beside a store; they may be deleted at any time."""

    def __init__(self, store: LayoutStore) -> None:
        self._store = store

    def of(self, image: str) -> tuple[str, ...]:
        """The references of an image, the latest last."""
        rows = (self._store.recall(_TOPIC, image) or {}).get("names")
        return tuple(str(row) for row in rows) if isinstance(rows, list) else ()

    def note(self, image: str, reference: Reference) -> None:
        """Remember one more."""
        names: list[JSON] = [*(name for name in self.of(image) if name != str(reference)), str(reference)]
        self._store.remember(_TOPIC, image, {"names": names[-_MOST:]})
