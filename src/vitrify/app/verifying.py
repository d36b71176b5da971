"""The check of one image, wherever it lies: what it is, who made it, and whether the ledger says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from vitrify.core.digest import PLAIN
from vitrify.core.image_report import ImageVerified, Verdict
from vitrify.evidence.oci import OciEvidence
from vitrify.evidence.verify import only_image, verify
from vitrify.ledger.checkpoint import Verifier
from vitrify.lifecycle.lodging import live_image
from vitrify.lifecycle.world import World


def verify_image(name: str, keys: Sequence[str], *, evidence: OciEvidence, world: Callable[[], World]) -> ImageVerified:
    """Check an image: of a server, by its digest, or in an OCI layout that came from elsewhere. With `keys`, those alone are trusted."""
    trusted = tuple(Verifier.parse(key) for key in keys)
    if "/" in name or name in (".", ".."):
        image = only_image(name)
        return ImageVerified(image, verify(name, image, trusted=trusted or tuple(evidence.trusted())))
    image = name if name.startswith(PLAIN) else live_image(name, world())
    found = replace(evidence, trusted=lambda: trusted) if trusted else evidence
    return ImageVerified(image, (*found.verify(image), _entered(image, world())))


def _entered(image: str, world: World) -> Verdict:
    """Whether the ledger says that this image was baked."""
    for entry in world.ledger.entries():
        if entry.kind == "bake.done" and entry.body.get("image") == image:
            return Verdict("ledger", holds=True, found=f"baked in entry {entry.sequence}, by {entry.author}")
    return Verdict("ledger", holds=False, found="no entry of this project's ledger says that it was baked")
