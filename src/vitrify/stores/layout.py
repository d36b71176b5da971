"""Keeps images as an OCI layout on disk, beside what is remembered about bakes and the folders of bakes under way."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from vitrify.core.diagnostic import IntegrityFailed, VitrifyError
from vitrify.core.digest import JSON, PLAIN, JSONObject, canonical, digest_bytes
from vitrify.onhost.layout import LABEL_BASE, MANIFEST, Descriptor, blob_path, read_document, read_manifest
from vitrify.onhost.record import sync_folder
from vitrify.onhost.removal import remove_tree
from vitrify.ports import Image
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
        self.roots = Roots(folder / "roots")

    @property
    def layout(self) -> str:
        """Path of the OCI layout, where blobs are."""
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
        return Image(digest, size, base, own)

    def holds(self, blob: Descriptor) -> bool:
        """Whether this blob is here with its full size."""
        try:
            return blob_path(str(self._oci), blob.digest).stat().st_size == blob.size
        except FileNotFoundError:
            return False

    @contextmanager
    def work(self) -> Iterator[Path]:
        """A fresh folder for one bake, gone afterwards; what killed bakes left behind is cleared first."""
        with self._locked("work"):
            self._clear_stale()
            place = Path(tempfile.mkdtemp(dir=self._work))
            held = _try_lock(place)
        try:
            yield place
        finally:
            remove_tree(str(place))
            if held is not None:
                os.close(held)

    def _clear_stale(self) -> None:
        """Remove every work folder that nobody holds. The caller has the store's lock, so none is just being made."""
        for place in (entry for entry in self._work.iterdir() if entry.is_dir()):
            held = _try_lock(place)
            if held is not None:
                remove_tree(str(place))
                os.close(held)

    def adopt(self, file: Path, *, digest: str) -> None:
        """Keep a finished file of the work folder as a blob; durable, and whole or not at all."""
        with file.open("rb") as finished:
            os.fsync(finished.fileno())
        file.chmod(0o644)
        path = blob_path(str(self._oci), digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        file.replace(path)
        sync_folder(str(path.parent))

    def publish(self, config: bytes, manifest: bytes) -> Image:
        """Make an image known, its layers being here: blobs first, the index last, each durable before the next."""
        digest = digest_bytes(manifest)
        with self._locked("oci"):
            for content in (config, manifest):
                _write(blob_path(str(self._oci), digest_bytes(content)), content)
            self._list(Descriptor(MANIFEST, digest, len(manifest)))
        image = self.image(digest)
        if image is None:
            raise IntegrityFailed(f"the image {digest} was published without a layer of its own", hint="bake again")
        return image

    def _list(self, manifest: Descriptor) -> None:
        """Enter an image into the index, sorted; tools find it by the hex digits of its digest as a name."""
        named: JSON = {_NAME: manifest.digest.removeprefix(PLAIN)}
        rows = {**self._listed(), manifest.digest: {**manifest.to_json(), "annotations": named}}
        _write(self._oci / "oci-layout", canonical({"imageLayoutVersion": "1.0.0"}))
        _write(self._oci / "index.json", canonical({"schemaVersion": 2, "manifests": [row for _, row in sorted(rows.items())]}))

    def _listed(self) -> dict[str, JSONObject]:
        with suppress(FileNotFoundError):
            rows = json.loads((self._oci / "index.json").read_bytes())["manifests"]
            return {str(row["digest"]): row for row in rows}
        return {}

    def images(self) -> tuple[str, ...]:
        """Digests of all images in the index, sorted."""
        return tuple(sorted(self._listed()))

    def recall(self, topic: str, key: str) -> JSONObject | None:
        """What `remember` was told under this key; nothing where that was deleted or damaged."""
        with suppress(FileNotFoundError, ValueError):
            value: JSON = json.loads(self._note(topic, key).read_bytes())
            return value if isinstance(value, dict) else None
        return None

    def remember(self, topic: str, key: str, value: JSONObject) -> None:
        """Note something that can be found out again: whole or not at all, and perhaps not after a power cut."""
        with self._locked("cache"):
            _write(self._note(topic, key), canonical(value), durable=False)

    @contextmanager
    def trying(self, topic: str, key: str) -> Iterator[bool]:
        """The exclusive right to find something out while it is held; False where somebody else has it, in this process or another.

        Few rights are shared by many keys, so hold one at a time.
        """
        place = self._cache / topic
        place.mkdir(parents=True, exist_ok=True)
        lock = os.open(place / f".{key.removeprefix(PLAIN)[:2]}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield _locked_at_once(lock)
        finally:
            os.close(lock)

    def _note(self, topic: str, key: str) -> Path:
        return self._cache / topic / f"{key.removeprefix(PLAIN)}.json"

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Hold one of the store's locks for a moment."""
        place = {"work": self._work, "oci": self._oci, "cache": self._cache}[name]
        place.mkdir(parents=True, exist_ok=True)
        lock = os.open(place.parent / f".{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


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


def _write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a whole file, readable by all; equal content that is there already is left alone.

    The caller holds a lock, so the temporary file has one name: what a killed process left of it is overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        if durable:
            os.fsync(file.fileno())
    temporary.replace(path)
    if durable:
        sync_folder(str(path.parent))
