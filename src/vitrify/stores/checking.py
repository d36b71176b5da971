"""Reads a whole store again: every blob against its digest, the index against the blobs, unpacked images against their layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from vitrify.core.diagnostic import Busy, IntegrityFailed, VitrifyError
from vitrify.core.digest import PLAIN
from vitrify.core.event import Emit, Event, Stage
from vitrify.core.retention import Needs
from vitrify.core.store_report import Bad, StoreChecked
from vitrify.onhost import keeping, shelving
from vitrify.onhost.collecting import clear_root, used
from vitrify.onhost.dropping import names
from vitrify.onhost.files import hash_of
from vitrify.onhost.layout import blob_path
from vitrify.onhost.likeness import differs
from vitrify.onhost.unpack import unpack
from vitrify.stores.layout import LayoutStore

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Check:
    """One check of a store. `home` is the folder beneath which images were unpacked and instances run."""

    store: LayoutStore
    needs: Needs
    home: Path
    emit: Emit

    def look(self) -> StoreChecked:
        """Everything that is bad, and nothing touched. The caller is `using` the store."""
        files = sorted(path for path in Path(self.store.layout, "blobs", "sha256").glob("*") if path.is_file())
        bad: dict[str, str] = {}
        size = 0
        for number, path in enumerate(files, 1):
            self._say(f"blob {number} of {len(files)}")
            size += path.stat().st_size
            if why := _differs(path):
                bad[PLAIN + path.name] = why
        rows = tuple(shelving.listed(self.store.layout))
        users = self._users(rows)
        found = [Bad(digest, why, self._told(users.get(digest, ()))) for digest, why in bad.items()]
        found += [Bad(digest, why, self._told(users.get(digest, ()))) for digest, why in self._missing(rows, bad)]
        roots = sorted(path for path in (self.home / "images").glob("*") if len(path.name) == 64)
        for number, root in enumerate(roots, 1):
            self._say(f"unpacked image {number} of {len(roots)}")
            why = self._root_differs(root, broken=self._broken(bad))
            if why:
                found.append(Bad(str(root), why, self._told((PLAIN + root.name,))))
        return StoreChecked(len(files), len(roots), size, tuple(found))

    def repair(self) -> StoreChecked:
        """The same, and what is bad is removed where it can be made again. The caller has the store alone."""
        found = self.look()
        needed = {name for image in self.needs.needed for name in self._named(image)}
        gone = {one.what for one in found.bad if one.what.startswith(PLAIN) and one.what not in needed}
        with shelving.locked(Path(self.store.layout)):
            rows = shelving.listed(self.store.layout)
            stay = {digest: row for digest, row in rows.items() if digest in needed or not gone.intersection(self._named(digest))}
            if stay != rows:
                shelving.index(self.store.layout, stay)
            for digest in gone:
                shelving.remove(blob_path(self.store.layout, digest))
        removed = gone | {one.what for one in found.bad if one.what.startswith("/") and self._clear_unused(Path(one.what))}
        return replace(found, bad=tuple(replace(one, removed=one.what in removed) for one in found.bad))

    def _clear_unused(self, root: Path) -> bool:
        """Remove an unpacked image, whose next launch unpacks it again, unless an instance has it."""
        (self.home / "instances").mkdir(mode=0o711, parents=True, exist_ok=True)
        with keeping.lock(str(self.home / "instances" / ".lock")):  # nobody launches meanwhile
            if PLAIN + root.name in used(str(self.home)):
                return False
            clear_root(root)
        return True

    def _users(self, rows: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """Digest -> the manifests that name it: of the index, and those that are needed and not in it."""
        found: dict[str, tuple[str, ...]] = {}
        for image in sorted({*rows, *self.needs.needed}):
            for name in self._named(image):
                found[name] = (*found.get(name, ()), image)
        return found

    def _named(self, image: str) -> tuple[str, ...]:
        try:
            return tuple(dict.fromkeys(names(self.store.layout, image)))
        except (VitrifyError, ValueError):
            return (image,)

    def _missing(self, rows: Iterable[str], bad: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """What a manifest names and the store lacks; an image that is needed and gone altogether counts as well."""
        for digest in dict.fromkeys(name for image in sorted({*rows, *self.needs.needed}) for name in self._named(image)):
            if digest not in bad and self.store.measured(digest) is None:
                yield digest, "is missing"

    def _told(self, images: Iterable[str]) -> tuple[str, ...]:
        """Each image with the releases that have it and the pins on it."""
        told = []
        for image in images:
            releases = [f"{use.server} {use.number} ({use.state})" for use in self.needs.uses if use.image == image]
            pinned = [f"pinned by {pin.by}" for pin in self.needs.pins if pin.image == image]
            told.append(f"{image}{': ' if releases or pinned else ''}{', '.join((*releases, *pinned))}")
        return tuple(told)

    def _broken(self, bad: Mapping[str, str]) -> frozenset[str]:
        return frozenset(image for image in self.store.images() if any(name in bad for name in self._named(image)))

    def _root_differs(self, root: Path, *, broken: frozenset[str]) -> str:
        """Unpack the image once more, and compare. One whose layers are not here, or bad, cannot be compared."""
        image = PLAIN + root.name
        if image in broken or not self.store.has(image):
            return "" if image not in self.needs.needed and image not in broken else "cannot be compared: its image is not whole"
        with self.store.work() as work:
            try:
                again = unpack(self.store.layout, image, str(work / "again"), sync=lambda _: None)
            except IntegrityFailed as error:
                return error.diagnostics[0].summary
            return differs(Path(again.folder), root)

    def _say(self, detail: str) -> None:
        self.emit(Event("store.check", Stage.PROGRESS, "store", detail))


def checked(check: Check, *, repair: bool) -> StoreChecked:
    """Look, or look and repair, under the lock that this needs; `Busy` where it is not to be had."""
    with ExitStack() as stack:
        if not repair:
            stack.enter_context(check.store.using())
            return check.look()
        if not stack.enter_context(check.store.alone()):
            raise Busy("the image store is in use", why="something is being baked, pulled or pushed", hint="run it again afterwards")
        return check.repair()


def _differs(path: Path) -> str:
    """Why a blob is not what its name says; "" where it is."""
    try:
        with path.open("rb") as file:
            found = hash_of(file.fileno())
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if found == path.name else "its sha256 differs"
