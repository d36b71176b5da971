"""Takes images in from another machine: only the contents that this one lacks are asked for. The payload's `image.*` calls.

`home/store` is laid out as a store of the control machine is: `oci/` a plain OCI image layout, `work/` a folder for the image on its way
in, `cache/contents/` where each content lies in which layer. The formats are in `docs/formats/instances.md`.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Callable, Dict, Iterator, List, Mapping, Sequence, Tuple

from vitrify.core.diagnostic import IntegrityFailed, TargetFailed, VitrifyError
from vitrify.core.digest import JSON, PLAIN, JSONObject, digest_bytes
from vitrify.core.event import Event, Stage
from vitrify.core.locked import architecture
from vitrify.core.recipe import Literal, Part, Piece, parts
from vitrify.onhost import shelving
from vitrify.onhost.context import Context
from vitrify.onhost.layout import LAYER, MANIFEST, Descriptor, blob_path, read_document, read_manifest
from vitrify.onhost.record import write_whole
from vitrify.onhost.removal import remove_tree
from vitrify.onhost.whereabouts import Whereabouts

_NAME = "org.opencontainers.image.ref.name"
_AT_ONCE = 256
"""Contents that are asked for in one round trip."""


def lacking(_: Context, arguments: JSONObject) -> JSONObject:
    """Which of these layers are not here; whether the image itself is; and the path of the layout that it is in, or will be."""
    store = _store(arguments)
    absent: List[JSON] = [layer.digest for layer in _layers(arguments) if not _counted_on(store.layout, layer)]
    known = str(arguments["image"]) in shelving.listed(store.layout)
    return {"layers": absent, "known": known and not absent, "layout": store.layout}


def take(context: Context, arguments: JSONObject) -> JSONObject:
    """Take an image in: each lacking layer by its recipe, then config and manifest. Repeating it is harmless, killed anywhere it goes on.

    Every layer is hashed as a whole before it is kept, and so are the documents: whatever the other side says, an image here is what
    its digest says. Returns how many bytes of recipes and contents came over the wire.
    """
    store, image = _store(arguments), str(arguments["image"])
    with shelving.locked(store.folder / "taking"):
        came = sum(_take_layer(context, store, layer, recipe) for layer, recipe in _recipes(arguments))
        config, manifest = context.blob(str(arguments["config"])), context.blob(image)
        _refuse_another_machine(config)
        with shelving.locked(store.folder / "oci"):
            shelving.put(store.layout, config)
            if shelving.put(store.layout, manifest) != image:
                raise IntegrityFailed(f"the manifest of {image} is not what was asked for")
            _refuse_incomplete(store.layout, image)
            named: JSON = {_NAME: image[len(PLAIN) :]}
            shelving.enter(store.layout, {**Descriptor(MANIFEST, image, len(manifest)).to_json(), "annotations": named})
    return {"layout": store.layout, "bytes": came}


def _counted_on(layout: str, layer: Descriptor) -> bool:
    """Whether a layer is here; from now on somebody counts on it, and `image.collect` spares what is that young."""
    with suppress(FileNotFoundError):
        if shelving.holds(layout, layer):
            os.utime(blob_path(layout, layer.digest))
            return True
    return False


@dataclass(frozen=True)
class _Store:
    folder: Path

    @property
    def layout(self) -> str:
        return str(self.folder / "oci")

    @property
    def contents(self) -> Path:
        return self.folder / "cache" / "contents"

    @contextmanager
    def work(self) -> Iterator[Path]:
        """A fresh folder; what a killed call left is cleared first. One call takes images in at a time."""
        place = self.folder / "work"
        remove_tree(str(place))
        place.mkdir(parents=True)
        try:
            yield Path(tempfile.mkdtemp(dir=place))
        finally:
            remove_tree(str(place))


def _store(arguments: JSONObject) -> _Store:
    return _Store(Path(str(arguments["home"]), "store"))


def _layers(arguments: JSONObject) -> List[Descriptor]:
    rows = arguments["layers"]
    return [_layer(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _layer(row: JSONObject) -> Descriptor:
    return Descriptor(LAYER, str(row["digest"]), int(str(row["size"])))


def _recipes(arguments: JSONObject) -> Iterator[Tuple[Descriptor, str]]:
    rows = arguments["layers"]
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and row.get("recipe"):
            yield _layer(row), str(row["recipe"])


def _take_layer(context: Context, store: _Store, layer: Descriptor, recipe: str) -> int:
    if shelving.holds(store.layout, layer):
        return 0
    told = context.blob(recipe)
    needed = list(parts(told))
    context.emit(Event("image.layer", Stage.STARTED, layer.digest))
    try:
        if shutil.disk_usage(store.folder).free < layer.size:
            raise TargetFailed("there is no room for the image", why=f"a layer has {layer.size} bytes", hint="make room, then run it again")
        with store.work() as work, (work / "layer.tar").open("x+b") as made, (work / "contents").open("x+b") as fetched:
            known = Whereabouts.of(store.layout, store.contents)
            came = _fetch(context, needed, known, fetched)
            known.add_file(work / "contents", came)
            places = _write(needed, known, made, layer)
            made.flush()
            shelving.adopt(store.layout, work / "layer.tar", digest=layer.digest)
            store.contents.mkdir(parents=True, exist_ok=True)
            write_whole(str(store.contents / layer.digest[len(PLAIN) :]), Whereabouts.packed(places), mode=0o644)
    except OSError as error:
        raise TargetFailed("the image cannot be kept here", why=str(error), hint="make room, then run the same command again") from error
    size = len(told) + sum(length for _, length in came.values())
    context.emit(Event("image.layer", Stage.DONE, layer.digest, f"{len(came)} contents, {size:,} bytes", {"bytes": size}))
    return size


def _fetch(context: Context, needed: Sequence[Part], known: Whereabouts, into: BinaryIO) -> Dict[str, Tuple[int, int]]:
    """Ask for each content that is nowhere here, once; digest -> where it was written, and how long it is."""
    wanted = {part.digest: part.size for part in needed if isinstance(part, Piece) and not known.has(part.digest)}
    found: Dict[str, Tuple[int, int]] = {}
    names = list(wanted)
    for start in range(0, len(names), _AT_ONCE):
        for digest, content in _asked(context, names[start : start + _AT_ONCE]):
            if len(content) != wanted[digest] or digest_bytes(content) != digest:
                raise IntegrityFailed(f"the content {digest} came as something else")
            found[digest] = (into.tell(), len(content))
            into.write(content)
    into.flush()
    return found


def _asked(context: Context, digests: Sequence[str]) -> Iterator[Tuple[str, bytes]]:
    if context.blobs is None:
        for digest in digests:
            yield digest, context.blob(digest)
        return
    refused: List[VitrifyError] = []
    for digest, content in context.blobs(digests):
        if isinstance(content, VitrifyError):
            refused.append(content)  # the others are on their way, and have to be read
        elif not refused:
            yield digest, content
    if refused:
        raise refused[0]


def _write(needed: Sequence[Part], known: Whereabouts, into: BinaryIO, layer: Descriptor) -> Dict[str, Tuple[int, int]]:
    """Write the layer and hash it; digest -> where in it each content lies."""
    running, at, places = hashlib.sha256(), 0, {}
    for part in needed:
        data = part.data if isinstance(part, Literal) else known.read(part)
        if isinstance(part, Piece):
            places[part.digest] = (at, part.size)
        running.update(data)
        into.write(data)
        at += len(data)
        if at > layer.size:
            break
    if at != layer.size or PLAIN + running.hexdigest() != layer.digest:
        raise IntegrityFailed(f"the layer {layer.digest} came out as something else", hint="run the same command again")
    return places


def _refuse_incomplete(layout: str, image: str) -> None:
    manifest = read_manifest(layout, image)
    read_document(layout, manifest.config.digest)
    absent = [layer.digest for layer in manifest.layers if not shelving.holds(layout, layer)]
    if absent:
        raise IntegrityFailed(f"the image {image} lacks the layer {absent[0]}", hint="run the same command again")


def _refuse_another_machine(config: bytes) -> None:
    try:
        named = str(json.loads(config).get("architecture", ""))
    except (ValueError, AttributeError):
        raise IntegrityFailed("the config of the image cannot be read") from None
    if named not in (platform.machine(), architecture(platform.machine())):
        hint = "bake on a machine like this one"
        raise TargetFailed(f"the image is for {named}, and this host is {platform.machine()}", hint=hint)


CALLS: Mapping[str, Callable[[Context, JSONObject], JSONObject]] = {"image.lacking": lacking, "image.take": take}
