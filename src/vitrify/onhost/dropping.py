"""Takes images out of an OCI layout on disk: out of the index first, then what nothing that stays names any more.

Killed anywhere, what is left is sound: an image in the index is whole, and what nobody names goes with the next call.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, FrozenSet, Iterator, List, Optional, Tuple

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import JSON, PLAIN, JSONObject
from vitrify.onhost import shelving
from vitrify.onhost.layout import MANIFEST, Descriptor, blob_path, read_document

_NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True)
class Dropped:
    """What went, or would: images, every blob of theirs and of what was attached to them, and the bytes that these took on the disk."""

    images: Tuple[str, ...] = ()
    blobs: Tuple[str, ...] = ()
    size: int = 0


@dataclass(frozen=True)
class Drop:
    """Which images go. `needed` stay whatever else is said, also where the index lost them.

    `spared` keeps a file that nothing names for now; `done` is told of each file that was written or removed.
    """

    going: FrozenSet[str]
    needed: FrozenSet[str] = frozenset()
    spared: Callable[[Path], bool] = lambda _: False
    done: Callable[[Path], None] = lambda _: None

    def carry_out(self, layout: str, *, dry_run: bool = False) -> Dropped:
        """Do it, or tell what would be done. IntegrityFailed, and nothing touched, where what stays cannot be read.

        The caller sees to it that nobody is adding an image whose index row is still to come.
        """
        if not Path(layout, "blobs", "sha256").is_dir():
            return Dropped()
        with shelving.locked(Path(layout)):
            rows = shelving.listed(layout)
            stay = self._staying(layout, rows)
            named = {digest for one in stay for digest in names(layout, one)}
            loose = [path for path in _files(layout) if PLAIN + path.name not in named and not self.spared(path)]
            gone = tuple(sorted(digest for digest in set(rows) - set(stay) if "artifactType" not in rows[digest]))
            size = sum(path.stat().st_blocks * 512 for path in loose)
            if not dry_run:
                self._remove(layout, stay, rows, loose)
        return Dropped(gone, tuple(PLAIN + path.name for path in loose), size)

    def _staying(self, layout: str, rows: Dict[str, JSONObject]) -> Dict[str, JSONObject]:
        """Digest -> row of what stays: images first, then what is attached to one of them."""
        going = self.going - self.needed
        images = {digest: row for digest, row in rows.items() if "artifactType" not in row and digest not in going}
        for digest in self.needed - set(images):
            path = blob_path(layout, digest)
            if path.is_file():  # a process that was killed here took it for one that goes, and it came to be needed since
                named: JSON = {_NAME: digest[len(PLAIN) :]}
                images[digest] = {**Descriptor(MANIFEST, digest, path.stat().st_size).to_json(), "annotations": named}
        beside = {digest: row for digest, row in rows.items() if "artifactType" in row and _subject(layout, digest) in images}
        return {**images, **beside}

    def _remove(self, layout: str, stay: Dict[str, JSONObject], rows: Dict[str, JSONObject], loose: List[Path]) -> None:
        if stay != rows:
            shelving.index(layout, stay)
            self.done(Path(layout, "index.json"))
        # Manifests before what they name: an image of which anything is left out does not pass for one that is here.
        for path in sorted(loose, key=lambda path: (PLAIN + path.name not in rows, path.stat().st_size)):
            shelving.remove(path)
            self.done(path)


def names(layout: str, digest: str) -> Iterator[str]:
    """The digests of a manifest and of all that it names; IntegrityFailed where it cannot be read."""
    yield digest
    data = read_document(layout, digest)
    layers, manifests = data.get("layers"), data.get("manifests")
    for row in (data.get("config"), *(layers if isinstance(layers, list) else ())):
        if isinstance(row, dict) and "digest" in row:
            yield str(row["digest"])
    for row in manifests if isinstance(manifests, list) else ():
        if isinstance(row, dict) and blob_path(layout, str(row.get("digest"))).is_file():
            yield from names(layout, str(row["digest"]))


def _subject(layout: str, digest: str) -> Optional[str]:
    """What this is attached to; None where it cannot be read: evidence that nobody can read is none."""
    try:
        subject = read_document(layout, digest).get("subject")
    except (IntegrityFailed, json.JSONDecodeError):
        return None
    return str(subject.get("digest")) if isinstance(subject, dict) else None


def _files(layout: str) -> Iterator[Path]:
    """Every blob, and what a killed process left of one: the caller has the lock under which documents are written."""
    for path in sorted(Path(layout, "blobs", "sha256").iterdir()):
        if path.is_file() and not path.is_symlink():
            yield path
