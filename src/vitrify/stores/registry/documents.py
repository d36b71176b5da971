"""Reads the documents of images that others made: manifests, indexes and configs, of OCI's kinds and of docker's."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from vitrify.core.diagnostic import Denied, IntegrityFailed
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.onhost.layout import CONFIG, LAYER, MANIFEST, Descriptor

INDEX: Final = "application/vnd.oci.image.index.v1+json"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"

MANIFESTS: Final = (MANIFEST, DOCKER_MANIFEST)
INDEXES: Final = (INDEX, DOCKER_INDEX)
ACCEPTED: Final = ", ".join((*MANIFESTS, *INDEXES))

_DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar"
FORMS: Final = {
    LAYER: "",
    f"{LAYER}+gzip": "gzip",
    f"{LAYER}+zstd": "zstd",
    _DOCKER_LAYER: "",
    f"{_DOCKER_LAYER}.gzip": "gzip",
    f"{_DOCKER_LAYER}.zstd": "zstd",
}
"""Media type of a layer -> how it is compressed, "" where it is not."""

IDENTITY: Final = "dev.vitrify.image"
"""Annotation of a manifest that we pushed: the identity of the image, which is that of its uncompressed form."""

MOST_LAYERS: Final = 500
LARGEST_IMAGE: Final = 64 << 30
_MOST_ENTRIES: Final = 1000
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_WORD: Final = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True)
class Platform:
    """What machine an image is for, in OCI's words."""

    architecture: str
    variant: str = ""
    os: str = "linux"

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True)
class Listed:
    """A row of an index."""

    blob: Descriptor
    platform: Platform | None
    artifact_type: str = ""
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RemoteManifest:
    """A manifest as a registry or an archive holds it; layers from the lowest up."""

    digest: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: dict[str, str]
    artifact_type: str = ""
    subject: str = ""
    notes: tuple[dict[str, str], ...] = ()
    """The annotations of each layer."""

    @property
    def documents(self) -> tuple[tuple[Descriptor, dict[str, str]], ...]:
        """What this manifest holds, where it holds documents: each with its annotations."""
        return tuple(zip(self.layers, self.notes, strict=True))


@dataclass(frozen=True)
class RemoteConfig:
    """A config: its own bytes, which are kept as they are, what it is for, and the digests of the layers, uncompressed."""

    content: bytes
    platform: Platform
    diff_ids: tuple[str, ...]


def read_json(content: bytes, what: str) -> JSONObject:
    """A JSON object; IntegrityFailed for anything else, and for one that is too deep or says a thing twice."""
    try:
        data: JSON = json.loads(content, object_pairs_hook=_once, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise IntegrityFailed(f"{what} is not JSON", why=ascii(str(error))[1:121]) from None
    if not isinstance(data, dict):
        raise IntegrityFailed(f"{what} is not a JSON object")
    return data


def _once(pairs: list[tuple[str, JSON]]) -> JSONObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice: two readers may see two documents")
    return found


def _refuse_constant(name: str) -> JSON:
    raise ValueError(f"{name} is no JSON")


def media_type(data: JSONObject, told: str = "") -> str:
    """What a document is: what it says itself, else what it came as. IntegrityFailed where these differ or it could be two things."""
    own = data.get("mediaType")
    came = told.partition(";")[0].strip()
    if isinstance(own, str) and came in (*MANIFESTS, *INDEXES) and own != came:
        raise IntegrityFailed("a manifest is not of the kind that it came as", why=f"{own[:80]!a} came as {came[:80]!a}")
    found = own if isinstance(own, str) else came
    if "manifests" in data and ("layers" in data or "config" in data):
        raise IntegrityFailed("a document is a manifest and an index at once")
    if found in (*MANIFESTS, *INDEXES):
        return found
    return INDEX if "manifests" in data else MANIFEST if "layers" in data else found


def read_manifest(content: bytes, *, told: str = "") -> RemoteManifest:
    """A manifest. IntegrityFailed for a malformed one, Denied for one that is not read here."""
    what = f"the manifest {digest_bytes(content)}"
    data = read_json(content, what)
    kind = media_type(data, told)
    if kind not in MANIFESTS or data.get("schemaVersion") != 2:
        raise Denied(f"{what} is of a kind that is not read here", why=ascii(kind[:100] or "schema version 1")[1:-1])
    rows = data.get("layers")
    if not isinstance(rows, list) or len(rows) > MOST_LAYERS:
        raise IntegrityFailed(f"{what} has no layers, or more than {MOST_LAYERS}")
    subject = data.get("subject")
    config = descriptor(data.get("config"), what)
    of_config = config.media_type if config.media_type not in (CONFIG, DOCKER_CONFIG) else ""
    return RemoteManifest(
        digest=digest_bytes(content),
        config=config,
        layers=tuple(descriptor(row, what) for row in rows),
        annotations=texts(data.get("annotations")),
        artifact_type=str(data.get("artifactType") or of_config),
        subject=descriptor(subject, what).digest if subject is not None else "",
        notes=tuple(texts(row.get("annotations")) if isinstance(row, dict) else {} for row in rows),
    )


def refuse_what_is_no_image(manifest: RemoteManifest) -> None:
    """Denied unless this manifest is of an image whose layers can be read here."""
    if manifest.config.media_type not in (CONFIG, DOCKER_CONFIG):
        raise Denied(f"{manifest.digest} is not an image", why=f"its config is of the kind {manifest.config.media_type}")
    for layer in manifest.layers:
        if layer.media_type not in FORMS:
            raise Denied(f"{manifest.digest} has a layer of a kind that is not read here", why=layer.media_type)
    size = sum(layer.size for layer in manifest.layers)
    if size > LARGEST_IMAGE:
        raise Denied(f"{manifest.digest} is larger than any image", why=f"{size} bytes")


def read_index(content: bytes, *, told: str = "") -> tuple[Listed, ...]:
    """The rows of an index."""
    what = f"the index {digest_bytes(content)}"
    data = read_json(content, what)
    rows = data.get("manifests")
    if data.get("schemaVersion") != 2 or media_type(data, told) not in INDEXES or not isinstance(rows, list) or len(rows) > _MOST_ENTRIES:
        raise IntegrityFailed(f"{what} is malformed", why=f"an index lists at most {_MOST_ENTRIES} manifests")
    return tuple(_listed(row, what) for row in rows)


def _listed(row: JSON, what: str) -> Listed:
    found = row if isinstance(row, dict) else {}
    platform = found.get("platform")
    return Listed(
        blob=descriptor(row, what),
        platform=_platform(platform) if isinstance(platform, dict) else None,
        artifact_type=str(found.get("artifactType", "")),
        annotations=texts(found.get("annotations")),
    )


def _platform(data: JSONObject) -> Platform:
    words = [data.get(name) for name in ("architecture", "variant", "os")]
    architecture, variant, system = (word if isinstance(word, str) and _WORD.fullmatch(word) else "" for word in words)
    return Platform(architecture, variant, system)


def chosen(rows: Sequence[Listed], wanted: Platform) -> Descriptor:
    """The manifest for this machine; Denied with what there is where it is for others alone. The first of equally good ones."""
    fit = [row for row in rows if row.platform and (row.platform.os, row.platform.architecture) == (wanted.os, wanted.architecture)]
    exact = [row for row in fit if row.platform and row.platform.variant == wanted.variant]
    plain = [row for row in fit if row.platform and (not row.platform.variant or not wanted.variant)]
    for row in (*exact, *plain):
        return row.blob
    there = sorted({str(row.platform) for row in rows if row.platform and row.platform.os != "unknown"})
    raise Denied(f"the image is not there for {wanted}", why=f"it is for {', '.join(there[:12]) or 'no machine that it names'}")


def read_config(content: bytes) -> RemoteConfig:
    """The config of an image."""
    what = f"the config {digest_bytes(content)}"
    data = read_json(content, what)
    rootfs = data.get("rootfs")
    ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(ids, list) or not isinstance(rootfs, dict) or rootfs.get("type") != "layers":
        raise IntegrityFailed(f"{what} does not say what its layers are")
    settings = data.get("config")
    if settings is not None and not isinstance(settings, dict):
        raise IntegrityFailed(f"{what} is malformed", why="`config` is not an object")
    return RemoteConfig(content, _platform(data), tuple(_digest(one, what) for one in ids))


def descriptor(data: JSON, what: str) -> Descriptor:
    """A descriptor in a document."""
    found = data if isinstance(data, dict) else {}
    kind, size = found.get("mediaType"), found.get("size")
    if (
        not isinstance(kind, str)
        or not _WORD.fullmatch(kind)
        or not isinstance(size, int)
        or isinstance(size, bool)
        or not 0 <= size < 2**62
    ):
        raise IntegrityFailed(f"{what} names a blob without its kind or its size", why=ascii(str(data))[1:101])
    return Descriptor(kind, _digest(found.get("digest"), what), size)


def _digest(value: JSON, what: str) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise IntegrityFailed(f"{what} names a blob by something that is no sha256 digest", why=ascii(str(value))[1:101])
    return value


def texts(data: JSON) -> dict[str, str]:
    """Annotations: texts alone, of a length that can be kept."""
    rows = data.items() if isinstance(data, dict) else ()
    return {key[:255]: value[:4096] for key, value in rows if isinstance(value, str)}
