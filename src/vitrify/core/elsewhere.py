"""What becomes of images elsewhere, as values: pushed, attached to, and stood upon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vitrify.core.reference import Reference


@dataclass(frozen=True)
class Pushed:
    """What a push did. `manifest` is what the registry calls the image: over compressed layers, so not the image's own digest."""

    image: str
    reference: Reference
    manifest: str
    sent_bytes: int
    sent_blobs: int


@dataclass(frozen=True)
class BaseImage:
    """An image of a registry that others stand on: its identity, its layers as they are kept here (digest, size), and its unpacked root."""

    image: str
    layers: tuple[tuple[str, int], ...]
    root: str


@dataclass(frozen=True)
class Attachment:
    """A document that belongs to an image: what it is, and its bytes."""

    media_type: str
    content: bytes
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Referrer:
    """A manifest that says of itself that it belongs to an image."""

    digest: str
    artifact_type: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
