"""The evidence of OCI images keeps the promises that its twin in memory keeps."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from vitrify.builders.oci import OciBuilder
from vitrify.evidence.oci import OciEvidence
from vitrify.ledger.keys import generate
from vitrify.onhost.layout import blob_path, read_manifest
from vitrify.ports import Image, Made
from vitrify.stores.layout import LayoutStore
from vitrify.testing.evidence_suite import Case, EvidenceSuite
from vitrify.testing.image_suite import a_request
from vitrify.testing.memory_evidence import MemoryEvidence
from vitrify.testing.memory_images import MemoryImages
from vitrify.testing.memory_session import MemorySession

MADE = Made("shop", "web", "sha256:" + "1" * 64, {"file:/a": "sha256:" + "2" * 64})


class TestMemoryEvidence(EvidenceSuite):
    @pytest.fixture
    def case(self) -> Case:
        images = MemoryImages()
        image = asyncio.run(images.bake(a_request()))
        evidence = MemoryEvidence(images.has)
        return Case(evidence, image, MADE, lambda: evidence.altered.add(image.digest))


class TestOciEvidence(EvidenceSuite):
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        store, signer = LayoutStore(tmp_path), generate("ann@laptop")
        image = asyncio.run(OciBuilder(MemorySession(), store).bake(a_request()))
        evidence = OciEvidence(store, signer=lambda: signer, trusted=lambda: [signer.verifier])
        return Case(evidence, image, MADE, lambda: _alter(store, image))


def _alter(store: LayoutStore, image: Image) -> None:
    """Change one byte of a layer, and nothing that tells how long or how old it is."""
    layout = store.folder(image.digest)
    layer = blob_path(layout, read_manifest(layout, image.digest).layers[0].digest)
    content = layer.read_bytes()
    layer.write_bytes(bytes([content[0] ^ 1]) + content[1:])
