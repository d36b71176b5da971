"""What is attached to one image: the bill of materials, the provenance, and an author's signature."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from vitrify.evidence import dsse, provenance, sbom, signature
from vitrify.evidence.artifact import Artifact
from vitrify.evidence.inventory import Layer, Part, read_layer, together
from vitrify.ledger.checkpoint import Signer
from vitrify.onhost.layout import LABEL_FINGERPRINT, MANIFEST, Descriptor, blob_path, read_manifest
from vitrify.ports import Image, Made

if TYPE_CHECKING:
    from vitrify.evidence.oci import Shelf


@dataclass(frozen=True)
class Certificate:
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
