"""Attaches evidence to images in a store: the bill of materials, the provenance, and an author's signature."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from vitrify.core.digest import JSONObject
from vitrify.core.report import Verdict
from vitrify.evidence import dsse, provenance, sbom, signature
from vitrify.evidence.artifact import Artifact
from vitrify.evidence.inventory import Layer, Part, read_layer, together
from vitrify.evidence.verify import verify
from vitrify.ledger.checkpoint import Signer, Verifier
from vitrify.onhost.layout import LABEL_FINGERPRINT, MANIFEST, Descriptor, blob_path, read_manifest
from vitrify.ports import Image, Made

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
        work = _Certificate(self.store, image, made, signer)
        for artifact in work.artifacts():
            self.store.attach(artifact.manifest(work.subject), artifact.blobs)
        self.store.remember("certified", key, {})

    def verify(self, image: str) -> tuple[Verdict, ...]:
        """One line for each thing that was checked, from the bytes alone; an image of which parts are missing is one that does not hold."""
        if not blob_path(self.store.layout, image).exists():
            self.store.folder(image)
        return verify(self.store.layout, image, trusted=tuple(self.trusted()))


@dataclass(frozen=True)
class _Certificate:
    """One image being certified."""

    store: Shelf
    image: Image
    made: Made
    signer: Signer

    @cached_property
    def _layout(self) -> str:
        return self.store.folder(self.image.digest)

    @cached_property
    def subject(self) -> Descriptor:
        """The image's manifest, as its evidence names it."""
        return Descriptor(MANIFEST, self.image.digest, blob_path(self._layout, self.image.digest).stat().st_size)

    def artifacts(self) -> tuple[Artifact, ...]:
        """The evidence, in the order in which it is attached."""
        parts = together(self._layer(layer) for layer in read_manifest(self._layout, self.image.digest).layers)
        labels = self.image.config.get("Labels")
        fingerprint = str(labels.get(LABEL_FINGERPRINT, "")) if isinstance(labels, dict) else ""
        stated = provenance.statement(self.image.digest, self.made, parts, base=self.image.base, fingerprint=fingerprint)
        envelope = dsse.seal(provenance.PAYLOAD_TYPE, stated, self.signer)
        signed = {signature.ANNOTATION: signature.sign(self.image.digest, self.signer)}
        return (
            Artifact(sbom.MEDIA_TYPE, sbom.MEDIA_TYPE, self._bill(parts)),
            Artifact(provenance.PAYLOAD_TYPE, dsse.MEDIA_TYPE, envelope),
            Artifact(signature.ARTIFACT_TYPE, signature.MEDIA_TYPE, signature.payload(self.image.digest), signed),
        )

    def _layer(self, layer: Descriptor) -> Layer:
        """What a layer says, read once for all images that have it."""
        noted = self.store.recall("inventories", layer.digest)
        if noted is not None:
            return Layer.from_json(noted)
        found = read_layer(blob_path(self._layout, layer.digest))
        self.store.remember("inventories", layer.digest, found.to_json())
        return found

    def _bill(self, parts: tuple[Part, ...]) -> bytes:
        """The bill of these parts, written once for all images that have them."""
        key = sbom.identity(parts)
        noted = self.store.recall("bills", key)
        if noted is not None:
            return str(noted["bill"]).encode()
        made = sbom.bill(parts)
        self.store.remember("bills", key, {"bill": made.decode()})
        return made
