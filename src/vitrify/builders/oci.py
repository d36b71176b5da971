"""Bakes resources into an OCI image: layer upon layer, each made by the payload in an empty folder; published as a whole.

What is needed only where something is baked is imported there: a bake that finds everything done takes a quarter of a second.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from vitrify.builders import choice
from vitrify.builders.ground import (
    DEBOOTSTRAP,
    HOST,
    IMAGE,
    ROOTFS,
    Base,
    Bases,
    rootfs_tree,
    stat_fingerprint,
    system_fingerprint,
    touched_fingerprint,
)
from vitrify.builders.ids import ALONE, Ids, Wide, write_owners
from vitrify.builders.manifest import Documents, documents, process
from vitrify.builders.shelf import Shelf
from vitrify.builders.supplies import Supplies
from vitrify.builders.tree import Tree
from vitrify.core.diagnostic import Denied, TargetFailed, UsageInvalid
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.event import Emit, Event, Stage, silence
from vitrify.core.locked import Inputs, architecture
from vitrify.core.reference import Reference
from vitrify.onhost.layout import LABEL_BASE, LABEL_FINGERPRINT, LABEL_PREFIX, LABEL_SECRETS, LAYER, Descriptor
from vitrify.ports import BakeRequest, Chosen, Ground, Image, Offer, Session
from vitrify.project.subordinate import Ids as Granted

FORMAT: Final = 2
"""Counts up when equal inputs would give other bytes; part of every cache key."""

_SECOND_NS: Final = 10**9


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
        return architecture(self.machine)


@dataclass(frozen=True)
class Sources:
    """Where bakes take from what is not declared byte for byte: the store of packages, and images in registries."""

    supplies: Supplies | None = None
    bases: Bases | None = None


@dataclass(frozen=True)
class _Ground:
    """A base, looked at: its identity, its layer where it is packed, and the labels that it gives."""

    base: Base
    identity: str
    labels: Mapping[str, str]
    layers: tuple[Descriptor, ...] = ()
    ids: Ids = ALONE

    def identity_for(self, resources: Sequence[JSONObject]) -> str:
        """The base as far as these resources can notice it: of the running system, what lies where they write, and its name."""
        if self.base.kind != HOST:
            return self.identity
        return digest_of([self.labels[LABEL_FINGERPRINT], touched_fingerprint(self.base.folder, resources)])


class OciBuilder:
    """The builder of OCI images. Equal requests over equal bases give equal digests; several may bake at once."""

    def __init__(  # the two ways to a payload, and what a bake is made of and by
        self, session: Session, store: Shelf, *, means: Means | None = None, sources: Sources | None = None, wide: Wide | None = None
    ) -> None:
        self._session = session
        self._wide = wide or Wide(session, look=Granted)
        self._store = store
        self._means = means or Means()
        self._sources = sources or Sources()

    async def bake(self, request: BakeRequest, *, emit: Emit = silence) -> Image:
        """The image of this request; one that is here already is found without a word to the session."""
        _refuse_secret_contents(request.resources)
        choice.refuse_another_base(request)
        emit(Event("bake.start", Stage.STARTED, request.server, data={"base": request.base}))
        ground, key, image = await self._look_up(request, emit)
        if image is None and await asyncio.to_thread(self._wide.settle):
            ground, key, image = await self._look_up(request, emit)
        cached = image is not None
        if image is None:
            await self._have(request, ground, emit)
            image = await self._bake(request, ground, emit)
            self._store.remember("bakes", key, {"image": image.digest})
        emit(Event("bake.done", Stage.DONE, request.server, data={"image": image.digest, "bytes": image.size, "cached": cached}))
        return image

    async def _look_up(self, request: BakeRequest, emit: Emit) -> tuple[_Ground, str, Image | None]:
        """The base, what the image is remembered by, and the image if it is known."""
        await self._make_root(request, emit)
        ground = await asyncio.to_thread(self._look_at, request, emit)
        key = self._key(request, ground)
        return ground, key, self._known(key)

    async def choose(self, request: BakeRequest, *, emit: Emit = silence) -> Chosen:
        """By a bake that is thrown away: only it knows what its resources install, and what is installed beneath them by then."""
        await asyncio.to_thread(self._wide.settle)
        await self._make_root(request, emit)
        ground = await asyncio.to_thread(self._look_at, request, emit)
        return await self._choose(request, ground, emit, keep=False)

    async def choose_base(self, request: BakeRequest, *, emit: Emit = silence) -> Chosen | None:
        """By this machine's own apt."""
        kind, _, suite = request.base.partition(":")
        if kind == IMAGE:
            reference = replace(Reference.parse(suite), digest="")
            return Chosen(Inputs(), digest=await asyncio.to_thread(self._bases.resolve, reference))
        if kind != DEBOOTSTRAP:
            return None
        from vitrify.builders import debootstrap

        emit(Event("choose.base", Stage.STARTED, request.base))
        with self._store.work() as work:
            asked = (suite, request.mirror, self._supplies, work)
            return await asyncio.to_thread(debootstrap.choose, *asked, architecture=self._means.architecture)

    async def offers(self, request: BakeRequest, names: Sequence[str]) -> tuple[Offer, ...]:
        """As this machine's apt tells, in a folder of its own."""
        from vitrify.builders.offers import offers

        with self._store.work() as work:
            return await asyncio.to_thread(offers, request, names, work, architecture=self._means.architecture)

    @property
    def _supplies(self) -> Supplies:
        if self._sources.supplies is None:
            raise UsageInvalid("there is no store of packages to bake from")
        return self._sources.supplies

    @property
    def _bases(self) -> Bases:
        if self._sources.bases is None:
            raise UsageInvalid("there is no way to registries to bake from")
        return self._sources.bases

    async def _choose(self, request: BakeRequest, ground: _Ground, emit: Emit, *, keep: bool) -> Chosen:
        emit(Event("choose", Stage.STARTED, request.server))
        from vitrify.builders.reach import reach

        known = request.inputs or Inputs()
        with self._store.work() as work:
            argument = choice.to_choose(known, self._supplies, reach(request), keep=keep)
            answer = await self._apply(request, ground, work / "upper", argument, emit)
            return await asyncio.to_thread(choice.kept, answer, request, self._supplies)

    async def _have(self, request: BakeRequest, ground: _Ground, emit: Emit) -> None:
        """Every file that is pinned: from the store, else from wherever it is still offered."""
        if request.inputs is None or not self._supplies.lacking(request.inputs):
            return
        await self._choose(request, ground, emit, keep=True)
        choice.refuse_lacking(request.inputs, self._supplies, subject=request.server)

    async def _make_root(self, request: BakeRequest, emit: Emit) -> None:
        """The root of a base that is made of packages, where it is not here."""
        kind, _, suite = request.base.partition(":")
        if kind != DEBOOTSTRAP or self._supplies.root(_root_key(request)) is not None:
            return
        from vitrify.builders import debootstrap

        inputs, supplies = _base_inputs(request), self._supplies
        emit(Event("bake.base", Stage.STARTED, request.server, request.base, {"files": len(inputs.debs)}))
        with self._store.work() as work:
            fetched = (inputs, suite, request.mirror, supplies, work)
            await asyncio.to_thread(debootstrap.have, *fetched, architecture=self._means.architecture)
        choice.refuse_lacking(inputs, supplies, subject=request.server)
        await asyncio.to_thread(self._wide.settle)
        ids = Ids(many=self._wide.found.granted)
        with supplies.making(_root_key(request)) as making:
            await asyncio.to_thread(partial(debootstrap.build, inputs, supplies, making, ids=self._wide.found))
            scope: JSONObject = {**self._scope(request), "root": str(making / "root"), "lower": [], "target": "folder"}
            answer = await self._way(ids).call("even", {"scope": scope, **ids.told([])}, emit=emit)
            write_owners(making, ids.owners(answer))
        emit(Event("bake.base", Stage.DONE, request.server, request.base))

    async def ground(self, base: str) -> Ground | None:
        """The base as the status of its files tells; the running system is not packed, instances see it as it is."""
        found = Base.parse(base, system=self._means.system)
        if found.kind != ROOTFS:
            return None
        seen, _ = await asyncio.to_thread(stat_fingerprint, rootfs_tree(found.folder))
        known = self._store.recall("grounds", seen)
        return Ground(seen, str(known["digest"]) if known else "")

    def _look_at(self, request: BakeRequest, emit: Emit) -> _Ground:
        ground = self._seen(request, emit)
        return replace(ground, ids=self._wide.ids_upon(ground.base))

    def _seen(self, request: BakeRequest, emit: Emit) -> _Ground:
        base = Base.parse(request.base, system=self._means.system)
        if base.kind == HOST:
            system = system_fingerprint(base.folder)
            named = _Ground(base, "", {LABEL_BASE: HOST, LABEL_FINGERPRINT: system})
            return replace(named, identity=named.identity_for(request.resources))
        if base.kind == IMAGE:
            return self._image_ground(request, emit)
        if base.kind in (ROOTFS, DEBOOTSTRAP):
            made = base.kind == DEBOOTSTRAP
            root_key = _root_key(request) if made else ""
            base = Base(DEBOOTSTRAP, str(self._supplies.root(root_key)), str(self._supplies.owners(root_key))) if made else base
            layer = self._made_layer(base, request, emit) if made else self._base_layer(base, request, emit)
            return _Ground(base, layer.digest, {LABEL_BASE: base.kind, LABEL_FINGERPRINT: layer.digest}, (layer,))
        return _Ground(base, base.kind, {LABEL_BASE: base.kind})

    def _image_ground(self, request: BakeRequest, emit: Emit) -> _Ground:
        """An image of a registry: its own layers, byte for byte, and its root beneath what the resources write."""
        from vitrify.onhost.unpack import ATTRIBUTES  # few images stand on one of a registry

        reference = Reference.parse(request.base.partition(":")[2])
        if not reference.digest:
            raise UsageInvalid(f"nobody chose yet what {reference} stands for", hint=f"`vitrify update {request.server}`")
        found = self._bases.have(reference, emit=emit)
        layers = tuple(Descriptor(LAYER, digest, size) for digest, size in found.layers)
        labels = {LABEL_BASE: IMAGE, LABEL_FINGERPRINT: reference.digest}
        return _Ground(Base(IMAGE, found.root, str(Path(found.root).with_name(ATTRIBUTES))), found.image, labels, layers)

    def _base_layer(self, base: Base, request: BakeRequest, emit: Emit) -> Descriptor:
        tree = rootfs_tree(base.folder, base.owners)
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

    def _made_layer(self, base: Base, request: BakeRequest, emit: Emit) -> Descriptor:
        """Of a root that nobody writes to once it is made: what it is made of names it."""
        known = self._store.recall("roots", _root_key(request))
        layer = Descriptor(LAYER, str(known["digest"]), int(str(known["size"]))) if known else None
        if layer is None or not self._store.holds(layer):
            layer = self._base_layer(base, request, emit)
            self._store.remember("roots", _root_key(request), {"digest": layer.digest, "size": layer.size})
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
        made_of: JSONObject = {
            "made_by": self._made_by(ground.ids),
            "base": ground.identity,
            "labels": labels,
            "resources": list(request.resources),
        }
        pinned: JSONObject = {"inputs": request.inputs.digest} if request.inputs else {}
        return digest_of({**made_of, **pinned, **_guests(request), **request.permits})

    def _known(self, key: str) -> Image | None:
        noted = self._store.recall("bakes", key)
        return self._store.image(str(noted["image"])) if noted else None

    async def _bake(self, request: BakeRequest, ground: _Ground, emit: Emit) -> Image:
        from vitrify.builders.stack import Job, layers

        settings = process(request.resources)
        pinned = choice.of_the_lock(request.inputs, self._supplies) if request.inputs else {}
        job = Job(
            request=request,
            identity=ground.identity_for,
            lowers=tuple(str(folder) for folder in ground.base.lowers),
            ids=ground.ids,
            means=self._made_by(ground.ids),
            pinned=pinned,
            scope=self._scope(request),
            emit=emit,
        )
        own = await layers(job, self._way(ground.ids), self._store)
        labels = _labels(request, ground)
        if settings.secrets:
            labels[LABEL_SECRETS] = ",".join(settings.secrets)
        made: Documents = documents(settings, layers=(*ground.layers, *own), labels=labels, architecture=self._means.architecture)
        return self._store.publish(made.config, made.manifest)

    def _way(self, ids: Ids) -> Session:
        return self._wide.session if ids.many else self._session

    def _made_by(self, ids: Ids) -> JSON:
        """Who has many ids notes other owners of what is on disk than who has one, though the image is the same."""
        return [FORMAT, self._means.payload, self._means.architecture, *(["ids"] if ids.many else [])]

    async def _apply(self, request: BakeRequest, ground: _Ground, upper: Path, more: JSONObject, emit: Emit) -> JSONObject:
        """Make the resources true in an empty folder over the base."""
        from vitrify.builders.stack import refuse_failures

        await asyncio.to_thread(upper.mkdir, mode=0o755)
        scope: JSONObject = {**self._scope(request), "root": str(upper), "lower": ground.base.lowers}
        arguments: JSONObject = {"scope": scope, "resources": list(request.resources), **ground.ids.told([])}
        way = self._way(ground.ids)
        answer = await way.call("bake", {**arguments, **_guests(request), **more}, contents=request.contents, emit=emit)
        refuse_failures(answer)
        return answer

    def _scope(self, request: BakeRequest) -> JSONObject:
        """What all bakes of this image have in common."""
        return {
            "target": "image",
            "project": request.labels.get("project", ""),
            "server": request.server,
            "memory": "",
            "bwrap": self._means.bwrap,
            "key": "",
        }


def _base_inputs(request: BakeRequest) -> Inputs:
    if request.base_inputs is None:
        raise UsageInvalid(f"nobody chose yet what {request.base} consists of", hint=f"`vitrify update {request.server}`")
    return request.base_inputs


def _root_key(request: BakeRequest) -> str:
    """What a root is made of, and how."""
    return digest_of([FORMAT, _base_inputs(request).digest])


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
