"""Pulls an image: its manifest, its config, and each layer, opened, checked against the config, and kept uncompressed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from vitrify.core.diagnostic import Denied, IntegrityFailed
from vitrify.core.digest import PLAIN, canonical, digest_bytes
from vitrify.core.reference import Reference
from vitrify.onhost.layout import CONFIG, LAYER, MANIFEST, Descriptor
from vitrify.ports import Image, Pulled
from vitrify.stores.layout import LayoutStore
from vitrify.stores.registry.documents import (
    ACCEPTED,
    FORMS,
    IDENTITY,
    INDEXES,
    Platform,
    RemoteConfig,
    RemoteManifest,
    chosen,
    media_type,
    read_config,
    read_index,
    read_json,
    read_manifest,
    refuse_what_is_no_image,
)
from vitrify.stores.registry.door import SMALL, Ask, Door
from vitrify.stores.registry.fetching import Fetcher, pulling
from vitrify.stores.registry.forms import Forms
from vitrify.stores.registry.progress import Progress
from vitrify.stores.registry.squeezed import Budget, opened
from vitrify.stores.registry.together import together

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Document:
    """A manifest or an index as it came: its bytes, and what the registry said that it is."""

    content: bytes
    told: str

    @property
    def digest(self) -> str:
        """What names it."""
        return digest_bytes(self.content)

    @property
    def is_index(self) -> bool:
        """Whether it lists images for several machines."""
        return media_type(read_json(self.content, f"the manifest {self.digest}"), self.told) in INDEXES


def document(door: Door, reference: Reference) -> Document:
    """The document under this name; IntegrityFailed where it is not what its digest says."""
    ask = Ask("GET", f"/v2/{reference.repository}/manifests/{reference.name}", pulling(reference.repository), {"Accept": ACCEPTED})
    with door.open(ask) as reply:
        if reply.status != 200:
            raise reply.failure(f"pulling {reference}")
        found = Document(reply.body(SMALL), reply.header("content-type"))
        said = reply.header("docker-content-digest")
    if (reference.digest or found.digest) != found.digest or (said.startswith(PLAIN) and said != found.digest):
        why = f"asked for {reference.digest or reference.name}, told {said or 'nothing'}, got {found.digest}"
        raise IntegrityFailed(f"{door.registry} gives another manifest than it says", why=ascii(why)[1:-1])
    return found


def for_machine(door: Door, reference: Reference, platform: Platform) -> RemoteManifest:
    """The manifest of the image for this machine."""
    found = document(door, reference)
    if found.is_index:
        row = chosen(read_index(found.content, told=found.told), platform)
        found = document(door, reference.at(row.digest))
        if found.is_index:
            raise Denied(
                f"{reference} is an index of indexes", hint=f"name the image itself: {reference.registry}/{reference.repository}@sha256:…"
            )
        if len(found.content) != row.size:
            raise IntegrityFailed(f"the manifest {row.digest} is not as long as its index says")
    manifest = read_manifest(found.content, told=found.told)
    refuse_what_is_no_image(manifest)
    return manifest


@dataclass(frozen=True)
class Pull:
    """One pull: from where, into which store, for which machine, and how large what comes may be."""

    door: Door
    fetcher: Fetcher
    store: LayoutStore
    forms: Forms
    progress: Progress
    source: Reference
    platform: Platform
    budget: Budget

    def carry_out(self) -> Pulled:
        """Fetch what the store lacks; the image is known there once it is whole, and not before."""
        manifest = for_machine(self.door, self.source, self.platform)
        config = self._config(manifest)
        pairs = list(zip(manifest.layers, config.diff_ids, strict=True))
        for layer, diff_id in pairs:
            self.progress.expect(0 if self.store.measured(diff_id) is not None else layer.size)
        kept = together(lambda pair: self._layer(*pair), pairs, pace=self.door.pace)
        image = keep_image(self.store, config, [layer for layer, _ in kept], said=manifest.annotations.get(IDENTITY, ""))
        return Pulled(image, self.source.at(manifest.digest), sum(size for _, size in kept))

    def _config(self, manifest: RemoteManifest) -> RemoteConfig:
        if manifest.config.size > SMALL:
            raise Denied(f"the config of {self.source} is larger than any", why=f"{manifest.config.size} bytes")
        with self.fetcher.fetched(manifest.config, self.progress.moved) as file:
            config = read_config(file.read())
        return fitting(manifest, config, self.platform)

    def _layer(self, layer: Descriptor, diff_id: str) -> tuple[Descriptor, int]:
        """The layer as it is kept here, and how many bytes were fetched for that."""
        place = f"{self.source.registry}/{self.source.repository}"
        size, fetched = self.store.measured(diff_id), 0
        if size is None:
            with self.fetcher.fetched(layer, self.progress.moved) as file:
                size, fetched = keep_layer(self.store, file, layer, diff_id, self.budget), layer.size
            self.progress.done(layer.digest, "fetched", layer.size)
        else:
            self.progress.done(layer.digest, "is here already", layer.size)
        if FORMS[layer.media_type]:
            self.forms.note(diff_id, layer, place=place)
        return Descriptor(LAYER, diff_id, size), fetched


def fitting(manifest: RemoteManifest, config: RemoteConfig, platform: Platform) -> RemoteConfig:
    """The config, if it is one of this manifest and for this machine."""
    if len(config.diff_ids) != len(manifest.layers):
        why = f"{len(manifest.layers)} layers, {len(config.diff_ids)} diff ids"
        raise IntegrityFailed(f"{manifest.digest} and its config do not fit together", why=why)
    meant = config.platform
    if (meant.os, meant.architecture) != (platform.os, platform.architecture):
        raise Denied(f"{manifest.digest} is for {meant}, and this machine is {platform}")
    return config


def keep_layer(store: LayoutStore, file: BinaryIO, layer: Descriptor, diff_id: str, budget: Budget) -> int:
    """Open a layer into the store; IntegrityFailed unless what comes out is what the config names. Its size."""
    with store.work() as work:
        path = work / "layer"
        digest, size = _written(path, opened(file, form=FORMS[layer.media_type], budget=budget))
        if digest != diff_id:
            raise IntegrityFailed(
                f"the layer {layer.digest} holds something else than its image says", why=f"{diff_id} is said, {digest} is in it"
            )
        store.adopt(path, digest=diff_id)
    return size


def _written(path: Path, pieces: Iterator[bytes]) -> tuple[str, int]:
    sha256, size = hashlib.sha256(), 0
    with path.open("xb") as target:
        for data in pieces:
            sha256.update(data)
            size += len(data)
            target.write(data)
    return PLAIN + sha256.hexdigest(), size


def keep_image(store: LayoutStore, config: RemoteConfig, layers: list[Descriptor], *, said: str) -> Image:
    """Make an image known by its uncompressed form; its config is kept byte for byte. `said` is what its manifest calls it, if anything."""
    manifest = canonical(
        {
            "config": Descriptor(CONFIG, digest_bytes(config.content), len(config.content)).to_json(),
            "layers": [layer.to_json() for layer in layers],
            "mediaType": MANIFEST,
            "schemaVersion": 2,
        }
    )
    if said and said != digest_bytes(manifest):
        why = f"{ascii(said[:80])[1:-1]} is said, {digest_bytes(manifest)} is in it"
        raise IntegrityFailed("an image is not the one that it says it is", why=why)
    return store.publish(config.content, manifest)
