"""Reads an OCI image layout on disk, and believes no byte whose digest it has not checked."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Tuple

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import JSON, PLAIN, JSONObject, digest_bytes

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"

WHITEOUT: Final = ".wh."
"""A layer's entry `.wh.NAME` removes NAME of the layers beneath."""
OPAQUE: Final = ".wh..wh..opq"
"""A layer's entry of this name hides all that the layers beneath hold in its folder."""

LABEL_PREFIX: Final = "dev.vitrify."
LABEL_BASE: Final = "dev.vitrify.base"
LABEL_FINGERPRINT: Final = "dev.vitrify.base.fingerprint"
LABEL_SECRETS: Final = "dev.vitrify.secrets"

DEEPEST: Final = 256
"""How many folders may lie in each other in an image."""
LARGEST_DOCUMENT: Final = 4 << 20
"""Bytes of a manifest or config that are read at most."""

_DIGEST: Final = re.compile(PLAIN + "[0-9a-f]{64}")


@dataclass(frozen=True)
class Descriptor:
    """How a document names a blob."""

    media_type: str
    digest: str
    size: int

    def to_json(self) -> JSONObject:
        """The form in a manifest or an index."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True)
class Manifest:
    """What an image consists of; layers from the lowest up."""

    config: Descriptor
    layers: Tuple[Descriptor, ...]


def blob_path(layout: str, digest: str) -> Path:
    """Where a blob lies; IntegrityFailed for a name that is no sha256 digest (it might lead elsewhere)."""
    if not _DIGEST.fullmatch(digest):
        raise IntegrityFailed(f"{digest!r} is not a sha256 digest")
    return Path(layout, "blobs", "sha256", digest[len(PLAIN) :])


def read_document(layout: str, digest: str) -> JSONObject:
    """A manifest or config, checked against its digest."""
    path = blob_path(layout, digest)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_DOCUMENT + 1)
    except FileNotFoundError:
        raise IntegrityFailed(f"{digest} is not in the image store", why=f"{path} is missing", hint="bake again") from None
    if digest_bytes(content) != digest:
        raise _corrupt(path)
    data: JSON = json.loads(content)
    if not isinstance(data, dict):
        raise IntegrityFailed(f"{digest} is not a JSON object")
    return data


def read_manifest(layout: str, digest: str) -> Manifest:
    """The manifest of an image."""
    data = read_document(layout, digest)
    layers = data.get("layers")
    if data.get("schemaVersion") != 2 or not isinstance(layers, list):
        raise IntegrityFailed(f"{digest} is not an image manifest")
    return Manifest(_descriptor(data.get("config"), CONFIG), tuple(_descriptor(layer, LAYER) for layer in layers))


def _descriptor(data: JSON, media_type: str) -> Descriptor:
    found = data if isinstance(data, dict) else {}
    digest, size = found.get("digest"), found.get("size")
    if found.get("mediaType") != media_type or not isinstance(digest, str) or not isinstance(size, int) or size < 0:
        raise IntegrityFailed("the manifest names a blob of a kind that is not read here", why=f"expected {media_type}")
    return Descriptor(media_type, digest, size)


class Checked:
    """A blob being read. `finish` reads the rest and raises IntegrityFailed unless size and digest are the descriptor's."""

    def __init__(self, layout: str, blob: Descriptor) -> None:
        self._path = blob_path(layout, blob.digest)
        self._blob = blob
        self._left = blob.size
        self._sha256 = hashlib.sha256()
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            raise IntegrityFailed(f"{blob.digest} is not in the image store", why=f"{self._path} is missing", hint="bake again") from None

    def read(self, size: int) -> bytes:
        """The next bytes, never more than the descriptor promises."""
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        self._sha256.update(data)
        return data

    def finish(self) -> None:
        """Check what was read, and the rest."""
        while self.read(1 << 20):
            pass
        whole = self._left == 0 and os.fstat(self._file.fileno()).st_size == self._blob.size
        if not whole or PLAIN + self._sha256.hexdigest() != self._blob.digest:
            raise _corrupt(self._path)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def _corrupt(path: Path) -> IntegrityFailed:
    hint = f"remove {path} and bake again; then find out what changed it"
    return IntegrityFailed(f"an image blob is not what its name says: {path.name}", why="its sha256 differs", hint=hint)
