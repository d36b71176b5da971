"""Checks an image and its evidence from the bytes in an OCI layout alone: nothing is asked of a network, and nothing is believed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from vitrify.core.diagnostic import IntegrityFailed, UsageInvalid
from vitrify.core.image_report import Verdict
from vitrify.evidence import dsse, provenance, sbom, signature
from vitrify.evidence.inventory import read_layer, together
from vitrify.ledger.checkpoint import Verifier
from vitrify.onhost.layout import (
    Attached,
    Checked,
    Descriptor,
    attached,
    blob_path,
    listed,
    read_blob,
    read_document,
    read_manifest,
    subject_of,
)


@dataclass(frozen=True)
class _Subject:
    """The image that is looked at."""

    layout: str
    image: str
    trusted: tuple[Verifier, ...]


def verify(layout: str, image: str, *, trusted: tuple[Verifier, ...]) -> tuple[Verdict, ...]:
    """Each thing that was checked: the image's own bytes, its signature, provenance, and bill of materials.

    The bill is written anew from the layers and compared, so that a bill that hides or invents a package is found. A signature by
    a key that nobody trusts here is no signature. `IntegrityFailed` is never raised: what is wrong is a verdict.
    """
    subject = _Subject(layout, image, trusted)
    bytes_hold = _judged("content", lambda: _content(subject))
    if not bytes_hold.holds:
        return (bytes_hold,)  # what evidence says of other bytes proves nothing
    return (bytes_hold, *_evidence(subject))


def only_image(layout: str) -> str:
    """The digest of the one image in an OCI layout; UsageInvalid where there is none or more than one to choose from."""
    try:
        found = [digest for digest in listed(layout) if not subject_of(layout, digest)]
    except IntegrityFailed as error:
        raise UsageInvalid(f"{layout} is no OCI layout", why=str(error.diagnostics[0])) from None
    if len(found) != 1:
        why = "it holds no image" if not found else f"it holds {len(found)} images: {', '.join(found)}"
        raise UsageInvalid(f"{layout} does not hold one image", why=why)
    return found[0]


def _judged(name: str, look: Callable[[], str]) -> Verdict:
    try:
        return Verdict(name, holds=True, found=look())
    except IntegrityFailed as error:
        first = error.diagnostics[0]
        return Verdict(name, holds=False, found=f"{first.summary}{f': {first.why}' if first.why else ''}")


def _content(subject: _Subject) -> str:
    manifest = read_manifest(subject.layout, subject.image)
    config = read_document(subject.layout, manifest.config.digest)
    root = config.get("rootfs")
    diff_ids = root.get("diff_ids") if isinstance(root, dict) else None
    if diff_ids != [layer.digest for layer in manifest.layers]:
        raise IntegrityFailed("the config names other layers than the manifest")
    for layer in manifest.layers:
        reading = Checked(subject.layout, layer)
        try:
            reading.finish()
        finally:
            reading.close()
    count = len(manifest.layers)
    return f"{count} layer{'' if count == 1 else 's'}, {sum(layer.size for layer in manifest.layers):,} bytes: each digest holds"


def _evidence(subject: _Subject) -> Iterator[Verdict]:
    found = attached(subject.layout, subject.image)
    looks: dict[str, tuple[str, Callable[[_Subject, Attached], str]]] = {
        signature.ARTIFACT_TYPE: ("signature", _signature),
        provenance.PAYLOAD_TYPE: ("provenance", _provenance),
        sbom.MEDIA_TYPE: ("bill of materials", _bill),
    }
    for kind, (name, look) in looks.items():
        yield _best(name, [_judged(name, partial(look, subject, one)) for one in found if one.type == kind])


def _best(name: str, verdicts: list[Verdict]) -> Verdict:
    """One that holds is enough: several authors may vouch for an image, and not all of them are trusted by all."""
    absent = Verdict(name, holds=False, found="none is attached")
    return next((verdict for verdict in verdicts if verdict.holds), verdicts[0] if verdicts else absent)


def _one_blob(subject: _Subject, evidence: Attached) -> tuple[Descriptor, bytes]:
    if len(evidence.layers) != 1:
        raise IntegrityFailed(f"the artefact {evidence.digest} has {len(evidence.layers)} contents", why="evidence has one")
    return evidence.layers[0], read_blob(subject.layout, evidence.layers[0])


def _signature(subject: _Subject, evidence: Attached) -> str:
    blob, content = _one_blob(subject, evidence)
    made = evidence.annotations.get(signature.ANNOTATION, "")
    by = (
        signature.signer_of(content, made, image=subject.image, trusted=subject.trusted)
        if blob.media_type == signature.MEDIA_TYPE
        else None
    )
    if by is None:
        raise IntegrityFailed("it is not a signature over this image by a key that is trusted here")
    return f"by {by.name}"


def _provenance(subject: _Subject, evidence: Attached) -> str:
    _, content = _one_blob(subject, evidence)
    opened = dsse.unseal(content, subject.trusted)
    wrong = "it is an envelope of another kind" if opened.payload_type != provenance.PAYLOAD_TYPE else ""
    if wrong := wrong or provenance.problem(opened.payload, image=subject.image):
        raise IntegrityFailed(wrong)
    outer = json.loads(opened.payload)["predicate"]["buildDefinition"].get("externalParameters", {})
    return f"by {opened.by.name}: server {outer.get('server')} of project {outer.get('project')}, base {outer.get('base')}"


def _bill(subject: _Subject, evidence: Attached) -> str:
    _, content = _one_blob(subject, evidence)
    try:
        named = sbom.listed(content)
    except (ValueError, RecursionError) as error:
        raise IntegrityFailed("it cannot be read", why=str(error)) from None
    layers = read_manifest(subject.layout, subject.image).layers
    there = sbom.urls(together(read_layer(blob_path(subject.layout, layer.digest)) for layer in layers))
    if hidden := sorted(there - named):
        raise IntegrityFailed(f"it does not list {hidden[0]}", why=f"{len(hidden)} packages of the image are not in it")
    if invented := sorted(named - there):
        raise IntegrityFailed(f"it lists {invented[0]}", why=f"{len(invented)} packages in it are not in the image")
    return f"{len(there)} package{'' if len(there) == 1 else 's'}, the same as in the layers"
