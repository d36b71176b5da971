"""Attaches evidence to images in a store: the bill of materials, the provenance, and an author's signature."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from vitrify.core.digest import JSONObject
from vitrify.ledger.checkpoint import Signer, Verifier
from vitrify.onhost.layout import blob_path
from vitrify.ports import Image, Made

if TYPE_CHECKING:
    from vitrify.core.image_report import Verdict

FORMAT = "1"
"""Counts up when other evidence is made of the same image; part of what is remembered."""


class Shelf(Protocol):
    """Where images and what belongs to them are kept."""

    @property
    def layout(self) -> str:
        """Path of the OCI layout, whatever is in it."""

    def folder(self, image: str) -> str:
        """The same, where this image is in it whole; `VitrifyError` otherwise."""

    def attach(self, manifest: bytes, blobs: Sequence[bytes]) -> None:
        """Keep an artefact whose manifest names an image here as its subject: blobs first, the index last, each durable."""

    def recall(self, topic: str, key: str) -> JSONObject | None:
        """What `remember` was told under this key."""

    def remember(self, topic: str, key: str, value: JSONObject) -> None:
        """Note something that can be found out again."""


@dataclass(frozen=True)
class OciEvidence:
    """An `Evidence` over a store of OCI layouts. `signer` is asked for when something is signed, and not before."""

    store: Shelf
    signer: Callable[[], Signer]
    trusted: Callable[[], Iterable[Verifier]]

    def certify(self, image: Image, made: Made) -> None:
        """Attach what is not attached yet. Killed at any instant, the next call attaches the rest: equal evidence has equal digests."""
        signer = self.signer()
        key = f"{image.digest}.{signer.verifier.id.hex()}.{FORMAT}"
        if self.store.recall("certified", key) is not None:
            return
        from vitrify.evidence.certificate import Certificate  # only what is new needs all that this brings along

        work = Certificate(self.store, image, made, signer)
        for artifact in work.artifacts():
            self.store.attach(artifact.manifest(work.subject), artifact.blobs)
        self.store.remember("certified", key, {})

    def verify(self, image: str) -> tuple[Verdict, ...]:
        """One line for each thing that was checked, from the bytes alone; an image of which parts are missing is one that does not hold."""
        if not blob_path(self.store.layout, image).exists():
            self.store.folder(image)
        from vitrify.evidence.verify import verify

        return verify(self.store.layout, image, trusted=tuple(self.trusted()))
