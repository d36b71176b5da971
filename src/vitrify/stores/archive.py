"""Images as files that can be carried: an OCI layout in a folder, or the same in one tar archive."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from vitrify.core.diagnostic import Denied, IntegrityFailed, UsageInvalid
from vitrify.core.digest import JSON, JSONObject, canonical, digest_bytes
from vitrify.core.elsewhere import Attachment
from vitrify.core.reference import Reference
from vitrify.onhost.foreign import ForeignArchive
from vitrify.onhost.layout import MANIFEST, Descriptor, attached, blob_path, read_document, read_manifest
from vitrify.onhost.record import sync_folder
from vitrify.onhost.untar import FILE
from vitrify.ports import Image
from vitrify.stores.layout import LayoutStore
from vitrify.stores.registry.attachments import artifact
from vitrify.stores.registry.documents import INDEXES, Listed, Platform, chosen, read_config, read_index, refuse_what_is_no_image
from vitrify.stores.registry.documents import read_manifest as read_remote
from vitrify.stores.registry.door import SMALL
from vitrify.stores.registry.pulls import fitting, keep_image, keep_layer
from vitrify.stores.registry.squeezed import GZIP, PLAINLY, ZSTD, Budget, Limit, opened

_NAME: Final = "org.opencontainers.image.ref.name"
_CONTAINERD: Final = "io.containerd.image.name"
_LAYOUT: Final = canonical({"imageLayoutVersion": "1.0.0"})
_MAGIC: Final[Mapping[bytes, str]] = {b"\x1f\x8b": GZIP, b"\x28\xb5\x2f\xfd": ZSTD}
_MOST_BLOBS: Final = 100_000


@dataclass(frozen=True)
class Archives:
    """Writes and reads such files, from and to a store."""

    store: LayoutStore
    platform: Platform
    limit: Limit

    def export(self, image: str, into: str, *, name: Reference, evidence: bool) -> int:
        """Write the image to a file, or where `into` ends with a slash to a new folder; whole or not at all. Returns its bytes.

        Layers are as they are in the store, so that the image is named there by the digest that it has here.
        """
        layout, target = self.store.folder(image), Path(into)
        blobs = _blobs(layout, image, evidence=evidence)
        index = _index(layout, image, name, evidence=evidence)
        part = target.with_name(f".{target.name}.part")
        try:
            if into.endswith("/"):
                if target.exists():
                    raise UsageInvalid(f"{into} is there already", hint="name a folder that is not there yet")
                shutil.rmtree(part, ignore_errors=True)
                _fill(part, layout, blobs, index)
            else:
                with part.open("wb") as file:
                    _pack(file, layout, blobs, index)
                    os.fsync(file.fileno())
            part.replace(target)
            sync_folder(str(target.parent.absolute()))
        except OSError as error:
            raise UsageInvalid(f"{into} cannot be written", why=error.strerror or str(error)) from error
        return sum(blob_path(layout, blob).stat().st_size for blob in blobs)

    def load(self, source: str) -> tuple[Image, ...]:
        """Bring every image of a file or a folder into the store that is for this machine. Nothing in it is believed unchecked."""
        path = Path(source)
        with ExitStack() as held:
            if path.is_dir():
                place = path
            elif path.is_file():
                place = held.enter_context(self._unpacked(path))
            else:
                raise UsageInvalid(f"there is no file or folder {source}")
            return _Loading(self.store, place, self.platform, Budget(self.limit)).images()

    @contextmanager
    def _unpacked(self, path: Path) -> Iterator[Path]:
        with self.store.work() as work, path.open("rb") as file:
            form = next((form for magic, form in _MAGIC.items() if file.read(len(magic)) == magic or file.seek(0)), PLAINLY)
            file.seek(0)
            _take_apart(ForeignArchive(_Read(opened(file, form=form, budget=Budget(self.limit))).read), work)
            yield work


def _blobs(layout: str, image: str, *, evidence: bool) -> tuple[str, ...]:
    """The digests of all that belongs into the file, sorted."""
    manifest = read_manifest(layout, image)
    found = {image, manifest.config.digest, *(layer.digest for layer in manifest.layers)}
    for one in attached(layout, image) if evidence else ():
        config = read_document(layout, one.digest).get("config")
        empty = str(config.get("digest", "")) if isinstance(config, dict) else ""
        found |= {one.digest, empty, *(blob.digest for blob in one.layers)}
    return tuple(sorted(found))


def _index(layout: str, image: str, name: Reference, *, evidence: bool) -> bytes:
    size = blob_path(layout, image).stat().st_size
    annotations: JSONObject = {_NAME: f"{name.registry}/{name.repository}:{name.tag}", _CONTAINERD: str(name)}
    rows: list[JSON] = [{**Descriptor(MANIFEST, image, size).to_json(), "annotations": annotations}]
    for one in attached(layout, image) if evidence else ():
        row = Descriptor(MANIFEST, one.digest, blob_path(layout, one.digest).stat().st_size).to_json()
        rows.append({**row, "artifactType": one.type})
    return canonical({"manifests": rows, "mediaType": INDEXES[0], "schemaVersion": 2})


def _fill(folder: Path, layout: str, blobs: tuple[str, ...], index: bytes) -> None:
    (folder / "blobs" / "sha256").mkdir(parents=True)
    for blob in blobs:
        shutil.copyfile(blob_path(layout, blob), blob_path(str(folder), blob))
    (folder / "index.json").write_bytes(index)
    (folder / "oci-layout").write_bytes(_LAYOUT)
    os.sync()


def _pack(file: BinaryIO, layout: str, blobs: tuple[str, ...], index: bytes) -> None:
    """The same image gives the same archive: sorted, without times and owners."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in ("blobs", "blobs/sha256"):
            archive.addfile(_entry(folder, tarfile.DIRTYPE, 0o755, 0))
        for blob in blobs:
            path = blob_path(layout, blob)
            with path.open("rb") as content:
                archive.addfile(_entry(f"blobs/sha256/{path.name}", tarfile.REGTYPE, 0o644, path.stat().st_size), content)
        for name, text in (("index.json", index), ("oci-layout", _LAYOUT)):
            archive.addfile(_entry(name, tarfile.REGTYPE, 0o644, len(text)), io.BytesIO(text))


def _entry(name: str, kind: bytes, mode: int, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size = kind, mode, size
    return entry


class _Read:
    """Pieces of any size, read in the sizes that are asked for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._held, self._at = pieces, b"", 0

    def read(self, size: int) -> bytes:
        """So many bytes, less at the end."""
        found: list[bytes] = []
        while size:
            if self._at == len(self._held):
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._held, self._at = piece, 0
            part = self._held[self._at : self._at + size]
            self._at += len(part)
            size -= len(part)
            found.append(part)
        return b"".join(found)


def _take_apart(archive: ForeignArchive, into: Path) -> None:
    """Lay the parts of a layout into a folder, and nothing else: whatever has another name is left where it is."""
    (into / "blobs" / "sha256").mkdir(parents=True)
    for count, member in enumerate(archive.members()):
        if count > _MOST_BLOBS:
            raise Denied("the archive holds more entries than any image", why=f"more than {_MOST_BLOBS}")
        document = member.path in ("index.json", "oci-layout")
        blob = member.parts[:2] == ("blobs", "sha256") and len(member.parts) == 3
        if member.type != FILE or not (document or blob):
            continue
        path = into / member.path if document else blob_path(str(into), f"sha256:{member.parts[2]}")
        if document and member.size > SMALL:
            raise Denied(f"the archive's {member.path} is larger than any", why=f"{member.size} bytes")
        with path.open("xb") if not path.exists() else _twice(member.path) as file:
            for data in archive.content():
                file.write(data)


def _twice(name: str) -> BinaryIO:
    raise Denied(f"the archive holds {name} twice")


@dataclass(frozen=True)
class _Loading:
    """One layout being read."""

    store: LayoutStore
    folder: Path
    platform: Platform
    budget: Budget

    def images(self) -> tuple[Image, ...]:
        """Every image, and what belongs to them."""
        if not (self.folder / "index.json").is_file():
            hint = "an archive of docker's own kind is made one by `skopeo copy docker-archive:FILE oci-archive:NEW`"
            raise Denied(f"{self.folder.name} is no OCI layout", why="it has no index.json", hint=hint)
        rows = read_index((self.folder / "index.json").read_bytes()[: SMALL + 1])
        documents = [row for row in rows if row.artifact_type]
        found = {row.blob.digest: self._image(row) for row in rows if not row.artifact_type}
        if not found:
            raise Denied("there is no image in it")
        for row in documents:
            self._keep_what_belongs(row, found)
        return tuple(found.values())

    def _image(self, row: Listed) -> Image:
        content = self._document(row.blob)
        if row.blob.media_type in INDEXES:
            content = self._document(chosen(read_index(content, told=row.blob.media_type), self.platform))
        manifest = read_remote(content)
        refuse_what_is_no_image(manifest)
        config = fitting(manifest, read_config(self._document(manifest.config)), self.platform)
        layers = []
        for layer, diff_id in zip(manifest.layers, config.diff_ids, strict=True):
            size = self.store.measured(diff_id)
            if size is None:
                with self._open(layer) as file:
                    size = keep_layer(self.store, file, layer, diff_id, self.budget)
            layers.append(Descriptor("application/vnd.oci.image.layer.v1.tar", diff_id, size))
        return keep_image(self.store, config, layers, said=manifest.annotations.get("dev.vitrify.image", ""))

    def _keep_what_belongs(self, row: Listed, found: Mapping[str, Image]) -> None:
        manifest = read_remote(self._document(row.blob))
        image = found.get(manifest.subject)
        if image is not None:
            documents = tuple(Attachment(blob.media_type, self._document(blob), blob_notes) for blob, blob_notes in manifest.documents)
            subject = Descriptor(MANIFEST, image.digest, self.store.measured(image.digest) or 0)
            self.store.attach(artifact(manifest.artifact_type, documents, subject), [b"{}", *(one.content for one in documents)])

    def _document(self, blob: Descriptor) -> bytes:
        if blob.size > SMALL:
            raise Denied(f"the document {blob.digest} is larger than any", why=f"{blob.size} bytes")
        with self._open(blob) as file:
            content = file.read(blob.size + 1)
        if digest_bytes(content) != blob.digest or len(content) != blob.size:
            raise IntegrityFailed(f"{blob.digest} is not what its name says")
        return content

    def _open(self, blob: Descriptor) -> BinaryIO:
        try:
            return blob_path(str(self.folder), blob.digest).open("rb")
        except FileNotFoundError:
            raise IntegrityFailed(f"{blob.digest} is missing", why="the index leads to it") from None
