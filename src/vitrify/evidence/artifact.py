"""Evidence as artefacts beside an image: manifests of the image specification 1.1 whose `subject` is the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vitrify.core.digest import JSONObject, canonical, digest_bytes
from vitrify.onhost.layout import MANIFEST, Descriptor

EMPTY: Final = b"{}"
_EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True)
class Artifact:
    """One piece of evidence: its type, its content and the content's media type."""

    type: str
    media_type: str
    content: bytes
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Of the content, not of the artefact: where a signature stands beside what it signs."""

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """What has to be kept before the manifest is."""
        return (EMPTY, self.content)

    def manifest(self, subject: Descriptor) -> bytes:
        """The manifest that attaches it to an image."""
        layer: JSONObject = Descriptor(self.media_type, digest_bytes(self.content), len(self.content)).to_json()
        if self.annotations:
            layer["annotations"] = dict(self.annotations)
        made: JSONObject = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": self.type,
            "config": Descriptor(_EMPTY_TYPE, digest_bytes(EMPTY), len(EMPTY)).to_json(),
            "layers": [layer],
            "subject": subject.to_json(),
        }
        return canonical(made)
