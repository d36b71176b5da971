"""A registry without a network: images, tags and what belongs to images, in memory, for tests of the stories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from vitrify.core.diagnostic import IntegrityFailed, TargetFailed, UsageInvalid
from vitrify.core.digest import JSON, JSONObject, digest_bytes, digest_of
from vitrify.core.elsewhere import Attachment, Pushed, Referrer
from vitrify.core.event import Emit, silence
from vitrify.core.reference import Reference
from vitrify.ports import Image, Pulled
from vitrify.testing.memory_images import MemoryImages


@dataclass
class Elsewhere:
    """What all registries hold together: manifest -> image, reference -> manifest, subject -> what belongs to it."""

    images: dict[str, Image] = field(default_factory=dict)
    tags: dict[Reference, str] = field(default_factory=dict)
    places: set[tuple[str, str, str]] = field(default_factory=set)
    attached: dict[str, dict[str, tuple[str, tuple[Attachment, ...]]]] = field(default_factory=dict)


class MemoryRegistry:
    """Pushes from and pulls to images in memory; several may share one `Elsewhere`."""

    def __init__(self, images: MemoryImages, elsewhere: Elsewhere | None = None) -> None:
        self._images = images
        self.elsewhere = elsewhere or Elsewhere()

    def push(self, image: str, to: Reference, *, emit: Emit = silence) -> Pushed:
        """Have this image there."""
        if not to.tag or to.digest:
            raise UsageInvalid(f"{to} names no tag to push to")
        self._images.folder(image)
        found, manifest = self._images.image(image), digest_of(["compressed", image])
        place = (to.registry, to.repository, manifest)
        new = place not in self.elsewhere.places
        if found is not None:
            self.elsewhere.images[manifest] = found
        self.elsewhere.places.add(place)
        self.elsewhere.tags[to] = manifest
        return Pushed(image, to, manifest, sent_bytes=1 if new else 0, sent_blobs=1 if new else 0)

    def pull(self, reference: Reference, *, emit: Emit = silence) -> Pulled:
        """Have it here."""
        manifest = self.resolve(reference)
        image = self.elsewhere.images[manifest]
        fetched = 0 if self._images.has(image.digest) else 1
        self._images.bring(image)
        return Pulled(image, reference.at(manifest), fetched)

    def resolve(self, reference: Reference) -> str:
        """The manifest of this name."""
        manifest = reference.digest or self.elsewhere.tags.get(replace(reference, tag=reference.name), "")
        if (reference.registry, reference.repository, manifest) not in self.elsewhere.places:
            raise TargetFailed(f"pulling {reference}: it is not there")
        return manifest

    def attach(self, subject: Reference, artifact_type: str, blobs: Sequence[Attachment]) -> str:
        """Note that these belong to the subject."""
        self._refuse_without_digest(subject)
        self.resolve(subject)
        rows: list[JSON] = [[blob.media_type, digest_bytes(blob.content), dict(blob.annotations)] for blob in blobs]
        named: JSONObject = {"subject": subject.digest, "type": artifact_type, "blobs": rows}
        digest = digest_of(named)
        self.elsewhere.attached.setdefault(subject.digest, {})[digest] = (artifact_type, tuple(blobs))
        return digest

    def referrers(self, subject: Reference, *, artifact_type: str = "") -> tuple[Referrer, ...]:
        """What belongs to it."""
        self._refuse_without_digest(subject)
        found = self.elsewhere.attached.get(subject.digest, {})
        return tuple(Referrer(digest, kind, 1) for digest, (kind, _) in found.items() if artifact_type in ("", kind))

    def attached(self, subject: Reference, referrer: str) -> tuple[Attachment, ...]:
        """The documents of one of these."""
        self._refuse_without_digest(subject)
        found = self.elsewhere.attached.get(subject.digest, {}).get(referrer)
        if found is None:
            raise IntegrityFailed(f"{referrer} does not belong to {subject.digest}")
        return found[1]

    @staticmethod
    def _refuse_without_digest(subject: Reference) -> None:
        if not subject.digest:
            raise UsageInvalid(f"{subject} names no manifest by its digest")
