"""What is wrong with an image, or with what is said of it, is found from the bytes alone."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from vitrify.builders.oci import OciBuilder
from vitrify.core.digest import JSONObject, canonical, digest_bytes
from vitrify.core.image_report import Verdict
from vitrify.evidence import dsse, provenance, sbom, signature
from vitrify.evidence.artifact import Artifact
from vitrify.evidence.inventory import Part
from vitrify.evidence.oci import OciEvidence
from vitrify.evidence.verify import verify
from vitrify.ledger.checkpoint import Signer
from vitrify.onhost.layout import CONFIG, MANIFEST, Descriptor, attached, blob_path
from vitrify.ports import Image, Made
from vitrify.stores.layout import LayoutStore
from vitrify.testing.image_suite import a_file, a_request
from vitrify.testing.memory_session import MemorySession

ANN, MALLORY = Signer("ann@laptop", b"\1" * 32), Signer("mallory@away", b"\3" * 32)
MADE = Made("shop", "web", "sha256:" + "1" * 64, {"file:/a": "sha256:" + "2" * 64})


@dataclass
class Desk:
    """A store with one image, and evidence about it."""

    store: LayoutStore
    image: Image

    def certify(self, *, by: Signer = ANN, image: Image | None = None) -> None:
        OciEvidence(self.store, signer=lambda: by, trusted=lambda: [ANN.verifier]).certify(image or self.image, MADE)

    def attach(self, artifact: Artifact) -> None:
        """What a stranger can do to a store: attach anything to the image."""
        size = blob_path(self.store.folder(self.image.digest), self.image.digest).stat().st_size
        self.store.attach(artifact.manifest(Descriptor(MANIFEST, self.image.digest, size)), artifact.blobs)

    def verdicts(self) -> dict[str, Verdict]:
        found = verify(self.store.layout, self.image.digest, trusted=(ANN.verifier,))
        return {verdict.name: verdict for verdict in found}

    def broken(self) -> list[str]:
        return [name for name, verdict in self.verdicts().items() if not verdict.holds]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    store = LayoutStore(tmp_path)
    return Desk(store, asyncio.run(OciBuilder(MemorySession(), store).bake(a_request())))


def test_all_that_is_said_of_a_certified_image_holds_and_says_by_whom(desk: Desk) -> None:
    desk.certify()
    assert desk.broken() == []
    assert desk.verdicts()["signature"].found == "by ann@laptop"
    assert "server web of project shop" in desk.verdicts()["provenance"].found


def test_signatures_of_a_key_that_is_not_trusted_are_none(desk: Desk) -> None:
    desk.certify(by=MALLORY)
    assert desk.broken() == ["signature", "provenance"]


def test_forged_evidence_beside_the_true_one_does_no_harm(desk: Desk) -> None:
    desk.certify()
    desk.certify(by=MALLORY)
    assert desk.broken() == []


def test_evidence_of_another_image_is_none_of_this_one(desk: Desk) -> None:
    other = asyncio.run(OciBuilder(MemorySession(), desk.store).bake(a_request(a_file("a", b"two\n"))))
    signed = {signature.ANNOTATION: signature.sign(other.digest, ANN)}
    stated = provenance.statement(other.digest, MADE, (), base="scratch", fingerprint="")
    desk.attach(Artifact(signature.ARTIFACT_TYPE, signature.MEDIA_TYPE, signature.payload(other.digest), signed))
    desk.attach(Artifact(provenance.PAYLOAD_TYPE, dsse.MEDIA_TYPE, dsse.seal(provenance.PAYLOAD_TYPE, stated, ANN)))

    assert desk.broken() == ["signature", "provenance", "bill of materials"]
    assert desk.verdicts()["provenance"].found == "it is about another image"


def test_a_bill_that_invents_a_package_is_found(desk: Desk) -> None:
    desk.attach(Artifact(sbom.MEDIA_TYPE, sbom.MEDIA_TYPE, sbom.bill([Part("pypi", "flask", "3.0")])))
    assert "pkg:pypi/flask@3.0" in desk.verdicts()["bill of materials"].found


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b'{"bomFormat":"CycloneDX","components":1}', b"[" * 100_000])
def test_a_bill_that_cannot_be_read_is_told_and_nothing_else_happens(desk: Desk, content: bytes) -> None:
    desk.attach(Artifact(sbom.MEDIA_TYPE, sbom.MEDIA_TYPE, content))
    assert not desk.verdicts()["bill of materials"].holds


def test_each_byte_of_the_image_and_of_its_evidence_counts(desk: Desk) -> None:
    desk.certify()
    layout = desk.store.folder(desk.image.digest)
    for blob in sorted(Path(layout, "blobs", "sha256").iterdir()):
        content = blob.read_bytes()
        if content == b"{}":
            continue  # the empty config of artefacts says nothing
        blob.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert desk.broken(), f"{blob.name} was altered, and nothing told"
        blob.write_bytes(content)
    assert desk.broken() == []


def test_an_image_whose_config_names_other_layers_is_refused_before_any_evidence_is_read(desk: Desk) -> None:
    layout = desk.store.folder(desk.image.digest)
    manifest: JSONObject = json.loads(blob_path(layout, desk.image.digest).read_bytes())
    config = canonical({"config": {}, "rootfs": {"diff_ids": []}})
    named = Descriptor(CONFIG, digest_bytes(config), len(config)).to_json()
    forged = desk.store.publish(config, canonical({**manifest, "config": named}))

    verdicts = verify(layout, forged.digest, trusted=(ANN.verifier,))

    assert [(verdict.name, verdict.found) for verdict in verdicts] == [("content", "the config names other layers than the manifest")]


def test_a_certificate_that_was_cut_short_is_made_whole_by_the_same_call(desk: Desk) -> None:
    class Killed(Exception):
        pass

    class Mortal(LayoutStore):
        left = 1

        def attach(self, manifest: bytes, blobs: object) -> None:
            if self.left == 0:
                raise Killed
            self.left -= 1
            super().attach(manifest, blobs)  # type: ignore[arg-type]

    evidence = OciEvidence(Mortal(Path(desk.store.folder(desk.image.digest)).parent), signer=lambda: ANN, trusted=lambda: [ANN.verifier])
    with pytest.raises(Killed):
        evidence.certify(desk.image, MADE)
    desk.certify()

    assert desk.broken() == []
    assert len(attached(desk.store.folder(desk.image.digest), desk.image.digest)) == 3


def test_what_is_attached_is_no_image_of_its_own(desk: Desk) -> None:
    desk.certify()
    assert desk.store.images() == (desk.image.digest,)


def test_an_image_that_was_baked_again_gets_no_second_evidence(desk: Desk) -> None:
    desk.certify()
    desk.certify(image=replace(desk.image))
    assert len(attached(desk.store.folder(desk.image.digest), desk.image.digest)) == 3
