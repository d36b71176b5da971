"""Keeps images as an OCI layout on disk, beside what is remembered about bakes and the folders of bakes under way."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from vitrify.core.diagnostic import IntegrityFailed, VitrifyError
from vitrify.core.digest import JSON, PLAIN, JSONObject, canonical, digest_bytes
from vitrify.onhost import shelving
from vitrify.onhost.layout import LABEL_BASE, MANIFEST, Descriptor, blob_path, read_document, read_manifest
from vitrify.ports import Image
from vitrify.project.subordinate import removed
from vitrify.stores.roots import Roots

_NAME: Final = "org.opencontainers.image.ref.name"


class LayoutStore:
    """An image store in a folder: `oci/` is a plain OCI image layout, `cache/` and `work/` are ours and may be deleted.

    Every write is complete or absent, whatever is killed when; any number of processes may use it at once.
    """

    def __init__(self, folder: Path) -> None:
        self._oci = folder / "oci"
        self._cache = folder / "cache"
        self._work = folder / "work"
        self._use = folder / "use"
        self.roots = Roots(folder / "roots")

    @property
    def layout(self) -> str:
        """Path of the OCI layout, whatever is in it."""
        return str(self._oci)

    def folder(self, image: str) -> str:
        """Path of the OCI layout that holds this image; `VitrifyError` where it is gone."""
        if not self.has(image):
            raise VitrifyError(f"the image {image} is not here", why=f"looked in {self._oci}", hint="`vitrify bake` makes it again")
        return str(self._oci)

    def has(self, image: str) -> bool:
        """Whether the image is here, whole."""
        return self.image(image) is not None

    def image(self, digest: str) -> Image | None:
        """An image that is here with all its blobs, or nothing."""
        try:
            manifest = read_manifest(str(self._oci), digest)
            config = read_document(str(self._oci), manifest.config.digest)
        except IntegrityFailed:
            return None
        if not all(self.holds(layer) for layer in manifest.layers):
            return None
        settings = config.get("config")
        own = settings if isinstance(settings, dict) else {}
        labels = own.get("Labels")
        base = str(labels.get(LABEL_BASE, "")) if isinstance(labels, dict) else ""
        blobs = (*manifest.layers, manifest.config)
        size = sum(blob.size for blob in blobs) + blob_path(str(self._oci), digest).stat().st_size
        return Image(digest, size, base, own, {layer.digest: layer.size for layer in manifest.layers})

    def holds(self, blob: Descriptor) -> bool:
        """Whether this blob is here with its full size."""
        return shelving.holds(self.layout, blob)

    def blob(self, digest: str) -> Path:
        """Where a blob lies, or would."""
        return blob_path(str(self._oci), digest)

    def measured(self, digest: str) -> int | None:
        """The size of a blob that is here; None where it is not."""
        try:
            return self.blob(digest).stat().st_size
        except FileNotFoundError:
            return None

    @contextmanager
    def work(self) -> Iterator[Path]:
        """A fresh folder for one bake, gone afterwards; what killed bakes left behind is cleared first."""
        with shelving.locked(self._work):
            self._clear_stale()
            place = Path(tempfile.mkdtemp(dir=self._work))
            held = _try_lock(place)
        try:
            yield place
        finally:
            removed(str(place))
            if held is not None:
                os.close(held)

    def _clear_stale(self) -> None:
        """Remove every work folder that nobody holds. The caller has the store's lock, so none is just being made."""
        for place in (entry for entry in self._work.iterdir() if entry.is_dir()):
            held = _try_lock(place)
            if held is not None:
                removed(str(place))
                os.close(held)

    @contextmanager
    def using(self) -> Iterator[None]:
        """Nothing leaves the store while this lasts: for whoever found or made an image that no release has yet. Many may at once."""
        with shelving.locked(self._use, shared=True):
            yield

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """The exclusive right to take things away while it is held; False where somebody is `using` the store."""
        self._use.mkdir(parents=True, exist_ok=True)
        with _opened(self._use.parent / f".{self._use.name}.lock") as lock:
            yield _locked_at_once(lock)

    def adopt(self, file: Path, *, digest: str) -> None:
        """Keep a finished file of the work folder as a blob; durable, and whole or not at all."""
        shelving.adopt(self.layout, file, digest=digest)

    def publish(self, config: bytes, manifest: bytes) -> Image:
        """Make an image known, its layers being here: blobs first, the index last, each durable before the next."""
        with shelving.locked(self._oci):
            shelving.put(self.layout, config)
            digest = shelving.put(self.layout, manifest)
            # Tools find an image by the hex digits of its digest as a name.
            named: JSON = {_NAME: digest.removeprefix(PLAIN)}
            shelving.enter(self.layout, {**Descriptor(MANIFEST, digest, len(manifest)).to_json(), "annotations": named})
        image = self.image(digest)
        if image is None:
            raise IntegrityFailed(f"the image {digest} was published without a layer of its own", hint="bake again")
        return image

    def attach(self, manifest: bytes, blobs: Sequence[bytes]) -> None:
        """Keep an artefact whose manifest names an image here as its subject: blobs first, the index last, each durable."""
        row = Descriptor(MANIFEST, digest_bytes(manifest), len(manifest)).to_json() | {"artifactType": json.loads(manifest)["artifactType"]}
        with shelving.locked(self._oci):
            for content in (*blobs, manifest):
                shelving.put(self.layout, content)
            shelving.enter(self.layout, row)

    def images(self) -> tuple[str, ...]:
        """Digests of all images in the index, sorted; what is attached to one is not one."""
        return tuple(sorted(digest for digest, row in shelving.listed(self.layout).items() if "artifactType" not in row))

    def recall(self, topic: str, key: str) -> JSONObject | None:
        """What `remember` was told under this key; nothing where that was deleted or damaged."""
        with suppress(FileNotFoundError, ValueError):
            value: JSON = json.loads(self._note(topic, key).read_bytes())
            return value if isinstance(value, dict) else None
        return None

    def remember(self, topic: str, key: str, value: JSONObject) -> None:
        """Note something that can be found out again: whole or not at all, and perhaps not after a power cut."""
        with shelving.locked(self._cache):
            shelving.write(self._note(topic, key), canonical(value), durable=False)

    @contextmanager
    def trying(self, topic: str, key: str) -> Iterator[bool]:
        """The exclusive right to find something out while it is held; False where somebody else has it, in this process or another.

        Few rights are shared by many keys, so hold one at a time.
        """
        place = self._cache / topic
        place.mkdir(parents=True, exist_ok=True)
        with _opened(place / f".{key.removeprefix(PLAIN)[:2]}.lock") as lock:
            yield _locked_at_once(lock)

    def notes(self, topic: str) -> Iterator[tuple[Path, JSONObject]]:
        """Everything that is remembered of a topic, each with its file, which may be removed."""
        for path in sorted((self._cache / topic).glob("*.json")):
            note = self.recall(topic, path.stem)
            if note is not None:
                yield path, note

    def _note(self, topic: str, key: str) -> Path:
        return self._cache / topic / f"{key.removeprefix(PLAIN)}.json"


@contextmanager
def _opened(lock: Path) -> Iterator[int]:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(folder: Path) -> int | None:
    """A descriptor that holds the folder until it is closed or its process ends; None where somebody else does."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if _locked_at_once(held):
        return held
    os.close(held)
    return None


def _locked_at_once(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
