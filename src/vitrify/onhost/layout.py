"""Reads an OCI image layout on disk, and believes no byte whose digest it has not checked."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Mapping, Optional, Tuple

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


@dataclass(frozen=True)
class Attached:
    """An artefact whose subject is an image: evidence, by its type. Annotations are those of its contents."""

    digest: str
    type: str
    layers: Tuple[Descriptor, ...]
    annotations: Mapping[str, str]


def attached(layout: str, image: str) -> Tuple[Attached, ...]:
    """What the index of a layout has attached to an image, sorted by digest; what cannot be read is no evidence, and left out."""
    found = [_attached(layout, digest, image) for digest in listed(layout)]
    return tuple(one for one in found if one is not None)


def listed(layout: str) -> Tuple[str, ...]:
    """The digests of all manifests in the index of a layout, sorted; none where it has no index."""
    try:
        rows = json.loads(Path(layout, "index.json").read_bytes())["manifests"]
        return tuple(sorted({str(row["digest"]) for row in rows}))
    except FileNotFoundError:
        return ()
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityFailed(f"{layout} has no index that can be read", why=str(error)) from None


def subject_of(layout: str, digest: str) -> str:
    """The digest of the image that this manifest is attached to; "" where it is an image of its own."""
    return _subject(read_document(layout, digest))


def _subject(manifest: JSONObject) -> str:
    subject = manifest.get("subject")
    return str(subject.get("digest", "")) if isinstance(subject, dict) else ""


def _attached(layout: str, digest: str, image: str) -> Optional[Attached]:
    try:
        data = read_document(layout, digest)
        layers = data.get("layers")
        if _subject(data) != image or not isinstance(layers, list):
            return None
        notes = [layer["annotations"] for layer in layers if isinstance(layer, dict) and isinstance(layer.get("annotations"), dict)]
        annotations = {name: str(value) for note in notes if isinstance(note, dict) for name, value in note.items()}
        return Attached(digest, str(data.get("artifactType", "")), tuple(_descriptor(layer, "") for layer in layers), annotations)
    except IntegrityFailed:
        return None


def read_blob(layout: str, blob: Descriptor) -> bytes:
    """A small blob, checked against its digest and size; IntegrityFailed for one of more than `LARGEST_DOCUMENT` bytes."""
    if blob.size > LARGEST_DOCUMENT:
        raise IntegrityFailed(f"{blob.digest} has {blob.size} bytes", why=f"at most {LARGEST_DOCUMENT} are read")
    reading = Checked(layout, blob)
    try:
        content = reading.read(blob.size)
        reading.finish()
        return content
    finally:
        reading.close()


def _descriptor(data: JSON, media_type: str) -> Descriptor:
    found = data if isinstance(data, dict) else {}
    digest, size = found.get("digest"), found.get("size")
    named = str(found.get("mediaType", ""))
    if media_type not in ("", named) or not isinstance(digest, str) or not isinstance(size, int) or size < 0:
        raise IntegrityFailed("the manifest names a blob of a kind that is not read here", why=f"expected {media_type}")
    return Descriptor(named, digest, size)


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
