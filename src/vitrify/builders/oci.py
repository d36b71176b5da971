"""Bakes resources into an OCI image: layer upon layer, each made by the payload in an empty folder; published as a whole.

What is needed only where something is baked is imported there: a bake that finds everything done takes a quarter of a second.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from vitrify.builders.ground import HOST, ROOTFS, Base, rootfs_tree, stat_fingerprint, system_fingerprint, touched_fingerprint
from vitrify.builders.manifest import Documents, documents, process
from vitrify.builders.shelf import Shelf
from vitrify.builders.tree import Tree
from vitrify.core.diagnostic import Denied, TargetFailed
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.event import Emit, Event, Stage, silence
from vitrify.onhost.layout import LABEL_BASE, LABEL_FINGERPRINT, LABEL_PREFIX, LABEL_SECRETS, LAYER, Descriptor
from vitrify.ports import BakeRequest, Ground, Image, Session

FORMAT: Final = 2
"""Counts up when equal inputs would give other bytes; part of every cache key."""

_SECOND_NS: Final = 10**9
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


@dataclass(frozen=True)
class Means:
    """What a bake is made with: the digest of the payload, the path of bubblewrap for declared commands, system and machine.

    All but the path count: an image baked by other means is baked again, and its digest tells whether that mattered.
    """

    payload: str = ""
    bwrap: str = ""
    system: str = "/"
    """Where the files of the running system are, for the base `host`."""
    machine: str = field(default_factory=platform.machine)

    @property
    def architecture(self) -> str:
        """The machine in the words of the image format."""
        return _ARCHITECTURES.get(self.machine, self.machine)


@dataclass(frozen=True)
class _Ground:
    """A base, looked at: its identity, its layer where it is packed, and the labels that it gives."""

    base: Base
    identity: str
    labels: Mapping[str, str]
    layers: tuple[Descriptor, ...] = ()

    def identity_for(self, resources: Sequence[JSONObject]) -> str:
        """The base as far as these resources can notice it: of the running system, what lies where they write, and its name."""
        if self.base.kind != HOST:
            return self.identity
        return digest_of([self.labels[LABEL_FINGERPRINT], touched_fingerprint(self.base.folder, resources)])


class OciBuilder:
    """The builder of OCI images. Equal requests over equal bases give equal digests; several may bake at once."""

    def __init__(self, session: Session, store: Shelf, *, means: Means | None = None) -> None:
        self._session = session
        self._store = store
        self._means = means or Means()

    async def bake(self, request: BakeRequest, *, emit: Emit = silence) -> Image:
        """The image of this request; one that is here already is found without a word to the session."""
        _refuse_secret_contents(request.resources)
        emit(Event("bake.start", Stage.STARTED, request.server, data={"base": request.base}))
        ground = await asyncio.to_thread(self._look_at, request, emit)
        key = self._key(request, ground)
        image = self._known(key)
        cached = image is not None
        if image is None:
            image = await self._bake(request, ground, emit)
            self._store.remember("bakes", key, {"image": image.digest})
        emit(Event("bake.done", Stage.DONE, request.server, data={"image": image.digest, "bytes": image.size, "cached": cached}))
        return image

    async def ground(self, base: str) -> Ground | None:
        """The base as the status of its files tells; the running system is not packed, instances see it as it is."""
        found = Base.parse(base, system=self._means.system)
        if found.kind != ROOTFS:
            return None
        seen, _ = await asyncio.to_thread(stat_fingerprint, rootfs_tree(found.folder))
        known = self._store.recall("grounds", seen)
        return Ground(seen, str(known["digest"]) if known else "")

    def _look_at(self, request: BakeRequest, emit: Emit) -> _Ground:
        base = Base.parse(request.base, system=self._means.system)
        if base.kind == HOST:
            system = system_fingerprint(base.folder)
            named = _Ground(base, "", {LABEL_BASE: HOST, LABEL_FINGERPRINT: system})
            return replace(named, identity=named.identity_for(request.resources))
        if base.kind == ROOTFS:
            layer = self._base_layer(base, request, emit)
            return _Ground(base, layer.digest, {LABEL_BASE: ROOTFS, LABEL_FINGERPRINT: layer.digest}, (layer,))
        return _Ground(base, base.kind, {LABEL_BASE: base.kind})

    def _base_layer(self, base: Base, request: BakeRequest, emit: Emit) -> Descriptor:
        tree = rootfs_tree(base.folder)
        fingerprint, newest = stat_fingerprint(tree)
        known = self._store.recall("bases", fingerprint)
        if known is not None:
            layer = Descriptor(LAYER, str(known["digest"]), int(str(known["size"])))
            if self._store.holds(layer):
                return layer
        with self._store.work() as work:
            layer, finished = self._pack(tree, work / "base.tar")
        data: JSONObject = {"digest": layer.digest, "bytes": layer.size, "layer": "base", "cached": False, "why": "it looks otherwise"}
        emit(Event("bake.layer", Stage.DONE, request.server, "base: packed", data))
        if stat_fingerprint(tree)[0] != fingerprint:
            raise TargetFailed(f"{base.folder} changed while it was packed", hint="bake again once nothing writes there")
        self._store.remember("grounds", fingerprint, {"digest": layer.digest})
        # A file written within the clock's grain of our reading it could change once more and look the same: a bake must not
        # rely on such a look. A plan may: the next bake corrects it.
        if newest < finished - _SECOND_NS:
            self._store.remember("bases", fingerprint, {"digest": layer.digest, "size": layer.size})
        return layer

    def _pack(self, tree: Tree, into: Path) -> tuple[Descriptor, int]:
        """Pack a base and keep the layer; also when that was, by the clock of the file system."""
        from vitrify.builders.layer import pack
        from vitrify.builders.stack import writable

        with writable():
            with into.open("xb") as file:
                layer = pack(tree, file)
            finished = into.stat().st_mtime_ns
            self._store.adopt(into, digest=layer.digest)
        return layer, finished

    def _key(self, request: BakeRequest, ground: _Ground) -> str:
        labels: JSONObject = dict(_labels(request, ground))
        made_of: JSONObject = {"made_by": self._made_by(), "base": ground.identity, "labels": labels, "resources": list(request.resources)}
        return digest_of({**made_of, **_guests(request)})

    def _known(self, key: str) -> Image | None:
        noted = self._store.recall("bakes", key)
        return self._store.image(str(noted["image"])) if noted else None

    async def _bake(self, request: BakeRequest, ground: _Ground, emit: Emit) -> Image:
        from vitrify.builders.stack import Job, layers

        settings = process(request.resources)
        job = Job(
            request=request,
            identity=ground.identity_for,
            lowers=tuple(str(folder) for folder in ground.base.lowers),
            means=self._made_by(),
            bwrap=self._means.bwrap,
            emit=emit,
        )
        own = await layers(job, self._session, self._store)
        labels = _labels(request, ground)
        if settings.secrets:
            labels[LABEL_SECRETS] = ",".join(settings.secrets)
        made: Documents = documents(settings, layers=(*ground.layers, *own), labels=labels, architecture=self._means.architecture)
        return self._store.publish(made.config, made.manifest)

    def _made_by(self) -> JSON:
        return [FORMAT, self._means.payload, self._means.architecture]


def _guests(request: BakeRequest) -> JSONObject:
    """The kinds that are not ours: another source may make another image of the same wishes."""
    return {"kinds": list(request.kinds)} if request.kinds else {}


def _labels(request: BakeRequest, ground: _Ground) -> dict[str, str]:
    """Who an image is for, and what it stands on, under our name as the image format asks."""
    return {**{f"{LABEL_PREFIX}{name}": value for name, value in request.labels.items()}, **ground.labels}


def _refuse_secret_contents(resources: Sequence[JSONObject]) -> None:
    for resource in resources:
        if resource.get("secret"):
            raise Denied(
                f"{resource['address']} holds a secret and cannot be in an image",
                why="an image is copied and kept; what is in it is known to all who can read it",
                hint="give it to the process instead: `env: {NAME: secret:NAME}`",
            )
