"""Brings images from the store to where instances run: nothing to do on this machine, only what is lacking to another."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vitrify.core.declaration import Content
from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.event import Emit, Event, Stage, silence
from vitrify.core.recipe import LARGEST_CONTENT, Literal, Part, Piece, packed
from vitrify.onhost.layout import Descriptor, Manifest, blob_path, read_manifest
from vitrify.ports import ImageStore, Session

SMALL: Final = 256
"""Contents of fewer bytes stand in the recipe itself: naming one takes as many."""


@dataclass(frozen=True)
class NearbyCarrier:
    """A `Carrier` to this very machine: the image is where it has to be."""

    images: ImageStore

    async def bring(self, image: str, *, emit: Emit = silence) -> str:
        """The store's own layout."""
        return self.images.folder(image)


@dataclass(frozen=True)
class SessionCarrier:
    """A `Carrier` to the host of a session. `home` is the folder on it that holds its instances, images and routers.

    One round trip where the image is there already. Otherwise a few more: the host is given a recipe of each layer that it lacks, and asks
    for the contents that lie in no layer of its own.
    """

    session: Session
    home: str
    images: ImageStore

    async def bring(self, image: str, *, emit: Emit = silence) -> str:
        """Send what the host lacks, and return where it keeps the image."""
        layout = self.images.folder(image)
        manifest = read_manifest(layout, image)
        rows: list[JSON] = [{"digest": layer.digest, "size": layer.size} for layer in manifest.layers]
        wanted: JSONObject = {"home": self.home, "image": image, "layers": rows}
        found = await self.session.call("image.lacking", wanted)
        if found["known"] is True:
            return str(found["layout"])
        arguments, contents = await asyncio.to_thread(_load, layout, image, manifest, found["layers"])
        emit(Event("image.send", Stage.STARTED, image))
        taken = await self.session.call("image.take", {**wanted, **arguments}, contents=contents, emit=emit)
        size = taken["bytes"]
        detail = f"{size:,} bytes" if isinstance(size, int) else ""
        emit(Event("image.send", Stage.DONE, image, detail, {"bytes": size}))
        return str(taken["layout"])


def _load(layout: str, image: str, manifest: Manifest, lacking: JSON) -> tuple[JSONObject, dict[str, Content]]:
    """What one image needs on its way: recipes of the layers that are lacking, and everything that may be asked for."""
    names = (image, manifest.config.digest)
    contents = {digest: Content(path=str(blob_path(layout, digest))) for digest in names}
    rows: list[JSON] = []
    for layer in manifest.layers:
        row: JSONObject = {"digest": layer.digest, "size": layer.size}
        if isinstance(lacking, list) and layer.digest in lacking:
            row["recipe"] = _recipe(layout, layer, contents)
        rows.append(row)
    return {"layers": rows, "config": manifest.config.digest}, contents


def _recipe(layout: str, layer: Descriptor, contents: dict[str, Content]) -> str:
    """The digest of a layer's recipe; it, and what it names, is among the contents from then on."""
    path = blob_path(layout, layer.digest)
    parts: list[Part] = []
    for part, start in dissected(path, layer.size):
        parts.append(part)
        if isinstance(part, Piece):
            contents[part.digest] = Content(path=str(path), start=start, size=part.size)
    recipe = packed(parts)
    digest = digest_bytes(recipe)
    contents[digest] = Content(data=recipe)
    return digest


def dissected(path: Path, size: int) -> Iterator[tuple[Part, int]]:
    """The parts of a layer, each with the byte that it begins at: contents of files by digest, all between them as it is."""
    import tarfile  # instances of this very machine are brought nothing

    try:
        with tarfile.open(path, "r:") as archive, path.open("rb") as file:
            at = 0
            for member in archive:
                if not member.isreg() or member.size < SMALL or member.issparse():
                    continue
                yield Literal(_read(file.fileno(), at, member.offset_data - at)), at
                end = member.offset_data + member.size
                for start in range(member.offset_data, end, LARGEST_CONTENT):
                    data = _read(file.fileno(), start, min(LARGEST_CONTENT, end - start))
                    yield Piece(digest_bytes(data), len(data)), start
                at = end
            yield Literal(_read(file.fileno(), at, size - at)), at
    except tarfile.TarError as error:
        raise IntegrityFailed(f"the layer {path.name} cannot be read", why=str(error)) from None


def _read(descriptor: int, start: int, size: int) -> bytes:
    data = os.pread(descriptor, size, start)
    if len(data) != size:
        raise IntegrityFailed("a layer ended before its time", hint="bake again")
    return data
