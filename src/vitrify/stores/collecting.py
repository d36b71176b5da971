"""Takes away from a store what nothing needs any more: images, what is attached to them, layers, and notes of what is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vitrify.core.diagnostic import Busy
from vitrify.core.digest import PLAIN, JSONObject
from vitrify.core.event import Emit
from vitrify.core.retention import Collected, Needs, Pin
from vitrify.core.store_report import StoreChecked
from vitrify.onhost.dropping import Drop, names
from vitrify.onhost.freezing import freeze
from vitrify.onhost.layout import blob_path
from vitrify.onhost.removal import remove_tree
from vitrify.stores.layout import LayoutStore
from vitrify.stores.pins import Pins

PLACE: Final = "store"
_NOTES: Final = (("bakes", "image"), ("origins", "image"), ("layers", "digest"))
"""Topics of notes that are worth nothing without what they name, and the field that names it."""


@dataclass(frozen=True)
class Storage:
    """A store with everything that is known about who needs what is in it. `needs` reads that anew at each call."""

    store: LayoutStore
    folder: Path
    projects: Callable[[], Needs]

    @property
    def pins(self) -> Pins:
        """Who wants which image to stay."""
        return Pins(self.folder / "pins")

    def needs(self) -> Needs:
        """What the releases of all projects and all pins say."""
        known = self.projects()
        return Needs(known.uses, (*known.pins, *self.pins.all()))

    def using(self) -> AbstractContextManager[None]:
        """Nothing leaves the store while this lasts."""
        return self.store.using()

    def has(self, image: str) -> bool:
        """Whether an image is here, whole."""
        return self.store.has(image)

    def pin(self, pin: Pin) -> bool:
        """Have an image stay; the last word of its project on it. Whether its files are immutable from now on: with a date alone."""
        with self.using():
            self.pins.put(pin)
            # Every one is tried. Where that cannot be done, the pin alone protects it.
            frozen = [freeze(self.store.blob(digest)) for digest in names(self.store.layout, pin.image)] if pin.until else []
            return bool(frozen) and all(frozen)

    def unpin(self, pin: Pin) -> None:
        """Take that back; harmless where it was done."""
        self.pins.drop(pin)

    def collect(self, *, dry_run: bool, unreleased: bool = False, done: Callable[[Path], None] = lambda _: None) -> Collected:
        """Take away what nothing needs. `Busy` where somebody is finding or making an image now.

        Who needs what is read once nobody can begin to need anything else.
        """
        with self.store.alone() as mine:
            if not mine:
                raise Busy("the image store is in use", why="something is being baked, pulled or pushed", hint="run it again afterwards")
            needs = self.needs()
            drop = Drop(needs.going(self.store.images(), unreleased=unreleased), needs.needed, done=done)
            dropped = drop.carry_out(self.store.layout, dry_run=dry_run)
            roots = tuple(path for path in self._bases() if PLAIN + path.name in dropped.images)
            if not dry_run:
                for path in (*roots, *self._stale_notes()):
                    remove_tree(str(path))
                    done(path)
        images = tuple(image for image in dropped.images)
        return Collected(PLACE, images, tuple(PLAIN + path.name for path in roots), len(dropped.blobs), dropped.size)

    def check(self, *, repair: bool, home: str, emit: Emit) -> StoreChecked:
        """Read all of it again, and what was unpacked from it beneath `home`."""
        from vitrify.stores.checking import Check, checked  # every bake holds a store, and next to none is checked

        return checked(Check(self.store, self.needs(), Path(home), emit), repair=repair)

    def _bases(self) -> Iterator[Path]:
        """Unpacked images of registries that others were baked upon."""
        place = self.folder / "bases"
        return (path for path in place.iterdir() if len(path.name) == 64) if place.is_dir() else iter(())

    def _forms(self, note: JSONObject) -> Iterator[Path]:
        """The compressed forms of a layer, kept for registries."""
        rows = note.get("forms")
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict):
                yield self.folder / "compressed" / blob_path("", str(row.get("digest"))).name

    def _stale_notes(self) -> Iterator[Path]:
        for topic, field in _NOTES:
            for path, note in self.store.notes(topic):
                if not blob_path(self.store.layout, str(note.get(field))).exists():
                    yield path
        for path, note in self.store.notes("forms"):
            if not self.store.blob(PLAIN + path.stem).exists():
                yield from self._forms(note)  # before the note, which alone tells of them
                yield path
        lists = self.folder / "cache" / "contents"
        for path in lists.iterdir() if lists.is_dir() else ():
            if len(path.name) == 64 and not blob_path(self.store.layout, PLAIN + path.name).exists():
                yield path
