"""Bakes the layers of an image one upon the other, each only where it is not known already."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from vitrify.builders.cut import Cut, Slice, cut, whole
from vitrify.builders.footprint import ancestors
from vitrify.builders.gate import refuse_secrets
from vitrify.builders.history import History, Parts, why
from vitrify.builders.ids import Ids
from vitrify.builders.layer import pack
from vitrify.builders.lower import OWNERS, ROOT, TABLE, unpack_layer, write_tables
from vitrify.builders.shelf import Shelf
from vitrify.builders.tree import Tree, stamps
from vitrify.core.diagnostic import TargetFailed, VitrifyError
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.event import Emit, Event, Stage
from vitrify.onhost.layout import LAYER, Descriptor
from vitrify.onhost.removal import remove_tree
from vitrify.ports import BakeRequest, Session

_LOOK_AGAIN: Final = 0.02
"""Seconds between two looks whether somebody else has finished a layer."""


_INSTALLS: Final = frozenset({"package", "repository", "venv"})
"""Kinds that take what they install from the lock, where there is one."""


@dataclass(frozen=True)
class Job:
    """What one image is to be: the request, what it stands on, and by what means it is made.

    `identity` names the base as far as these resources can notice it, `lowers` are its folders for a bake, `ids` what whoever bakes
    may give away, with the tables of owners that the base has. `pinned` is the argument
    of a bake that installs from the lock, `scope` what the scopes of all layers have in common.
    """

    request: BakeRequest
    identity: Callable[[Sequence[JSONObject]], str]
    lowers: tuple[str, ...]
    ids: Ids
    means: JSON
    pinned: JSONObject
    scope: JSONObject
    emit: Emit


@dataclass(frozen=True)
class Made:
    """A layer that is in the store, and the table of attributes that a layer above it begins with."""

    layer: Descriptor
    table: JSONObject

    @property
    def name(self) -> str:
        """The name of its folder among the unpacked ones."""
        return digest_of([self.layer.digest, self.table])

    @classmethod
    def read(cls, note: JSONObject | None, store: Shelf) -> Made | None:
        """A note of it, where the store still holds the layer."""
        if note is None:
            return None
        layer, table = Descriptor(LAYER, str(note["digest"]), int(str(note["size"]))), note["table"]
        return cls(layer, table) if isinstance(table, dict) and store.holds(layer) else None

    def note(self) -> JSONObject:
        """What `read` reads."""
        return {"digest": self.layer.digest, "size": self.layer.size, "table": self.table}


class _Bent(Exception):
    """A path leads through a link, so that resources may meet that did not seem to."""


async def layers(job: Job, session: Session, store: Shelf) -> tuple[Descriptor, ...]:
    """The layers of all resources, the lowest first, each in the store."""
    try:
        return await _baked(job, cut(job.request.resources), session, store)
    except _Bent:
        return await _baked(job, whole(job.request.resources), session, store)


async def _baked(job: Job, planned: Cut, session: Session, store: Shelf) -> tuple[Descriptor, ...]:
    with ExitStack() as held:
        stack = _Stack(job, planned, session, store, held)
        for piece in planned.slices:
            await stack.add(piece)
        stack.close()
        return tuple(made.layer for made in stack.made)


class _Stack:
    """The layers of one image, while they are made."""

    def __init__(self, job: Job, planned: Cut, session: Session, store: Shelf, held: ExitStack) -> None:
        self._job, self._cut, self._session, self._store, self._held = job, planned, session, store, held
        self.made: list[Made] = []
        self._folders: list[Path] = []
        self._history = History(store, job.request)

    async def add(self, piece: Slice) -> None:
        """The next layer: known, or baked by whoever comes first."""
        base = self._job.identity(piece.resources)
        beneath: JSON = [made.layer.digest for made in self.made]
        inputs = self._job.request.inputs
        locked: JSONObject = {"inputs": inputs.digest} if inputs and _installs(piece) else {}
        means: JSON = {"by": self._job.means, "kinds": list(self._job.request.kinds), **locked, **self._job.request.permits}
        key = digest_of({"means": means, "base": base, "beneath": beneath, "resources": list(piece.resources)})
        made = self._known(key, piece)
        if made is None:
            made = await self._found_out(key, piece, Parts.of(piece, means=means, base=base, beneath=beneath))
        self.made.append(made)

    async def _found_out(self, key: str, piece: Slice, parts: Parts) -> Made:
        while True:
            with self._store.trying("layers", key) as mine:
                made = self._known(key, piece)  # somebody else may have baked it meanwhile
                if made is not None:
                    return made
                if mine:
                    made = await self._build(piece, parts)
                    self._store.remember("layers", key, made.note())
                    return made
            await asyncio.sleep(_LOOK_AGAIN)

    def _known(self, key: str, piece: Slice) -> Made | None:
        made = Made.read(self._store.recall("layers", key), self._store)
        if made is not None:
            self._tell(piece, made, "known")
        return made

    def close(self) -> None:
        """Note what the layers were made of, for the next time that somebody asks why."""
        self._history.write()

    def _tell(self, piece: Slice, made: Made, reason: str) -> None:
        known = reason == "known"
        data: JSONObject = {"digest": made.layer.digest, "bytes": made.layer.size, "layer": piece.name, "cached": known, "why": reason}
        detail = f"{piece.name}: {reason if known else f'baked, {reason}'}"
        self._job.emit(Event("bake.layer", Stage.DONE, self._job.request.server, detail, data))

    async def _build(self, piece: Slice, parts: Parts) -> Made:
        await asyncio.to_thread(self._raise)
        with self._store.work() as work:
            upper = work / "kept" / ROOT
            upper.parent.mkdir()
            upper.mkdir(mode=0o755)
            arguments = self._arguments(piece, upper)
            contents, emit = self._job.request.contents, self._job.emit
            answer = await self._session.call("bake", arguments, contents=contents, emit=emit)
            refuse_failures(answer)
            made = await asyncio.to_thread(self._pack, work, answer, last=piece is self._cut.slices[-1])
        self._tell(piece, made, why(parts, self._history.read(piece)))
        self._history.note(piece, parts)
        return made

    def _arguments(self, piece: Slice, upper: Path) -> JSONObject:
        request, below = self._job.request, self._folders[::-1]
        table = str(below[0] / TABLE) if below else ""
        scope: JSONObject = {
            **self._job.scope,
            "root": str(upper),
            "lower": [*(str(folder / ROOT) for folder in below), *self._job.lowers],
            "table": table,
        }
        earlier = self._cut.slices[: len(self.made)]
        declared: JSON = [name for one in earlier for resource in one.resources for name in _with_password(resource)]
        arguments: JSONObject = {"scope": scope, "resources": list(piece.resources), "keep": True, "declared": declared}
        arguments |= self._job.pinned if _installs(piece) else {}
        arguments |= self._job.ids.told([str(folder / OWNERS) for folder in below])
        return {**arguments, "kinds": list(request.kinds)} if request.kinds else arguments

    def _raise(self) -> None:
        """Have every layer beneath as a folder, held until the image is done; told apart whether they let a path astray."""
        for made in self.made[len(self._folders) :]:
            self._folders.append(self._standing(made))
        if bent([*(str(folder / ROOT) for folder in self._folders), *self._job.lowers], self._cut.crossed):
            raise _Bent

    def _standing(self, made: Made) -> Path:
        store = self._store
        found = self._held.enter_context(store.roots.held(made.name))
        if found is None:
            with store.work() as work:
                folder = work / "unpacked"
                folder.mkdir()
                unpack_layer(store.layout, made.layer, made.table, folder, plain=self._job.ids.many)
                store.roots.keep(folder, made.name)
            found = self._held.enter_context(store.roots.held(made.name))
        if found is None:
            raise TargetFailed("an unpacked layer was removed while it was about to be used", hint="bake again")
        return found

    def _pack(self, work: Path, answer: JSONObject, *, last: bool) -> Made:
        """Pack what was written, searched for secrets, and keep the layer; also as it stands, if others are to be baked upon it."""
        attributes, table = answer.get("attributes"), answer.get("table")
        told = stamps(attributes if isinstance(attributes, dict) else {})
        # What a program gave to somebody is theirs, where it could be given at all.
        owners = self._job.ids.owners(answer)
        tree = Tree(str(work / "kept" / ROOT), {**stamps(owners), **told}, disk_owners=os.geteuid() == 0, overlay=True)
        archive = work / "layer.tar"
        with writable():
            with archive.open("xb") as file:
                layer = pack(tree, file, inspect=partial(refuse_secrets, allowed=self._job.request.allowed_secrets))
            made = Made(layer, table if isinstance(table, dict) else {})
            if last:
                remove_tree(tree.folder)  # before the layer is synced: what is gone need not be written to the disk
            self._store.adopt(archive, digest=layer.digest)
            if not last:
                write_tables(work / "kept", made.table, owners)
                self._store.roots.keep(work / "kept", made.name)
        return made


@contextmanager
def writable() -> Iterator[None]:
    """Say of a store that takes nothing more what it is, and what helps."""
    try:
        yield
    except OSError as error:
        raise VitrifyError("the image store cannot be written", why=str(error), hint="make room, then bake again") from error


def bent(roots: Sequence[str], paths: Sequence[str]) -> bool:
    """Whether one of these paths leads through a link in one of these roots."""
    folders = sorted({folder for path in paths for folder in (path, *ancestors(path))})  # the outer ones first
    return any(Path(root + folder).is_symlink() for folder in folders for root in roots)


def _installs(piece: Slice) -> bool:
    """Whether something in this layer is taken from the lock."""
    return any(str(resource["address"]).partition(":")[0] in _INSTALLS for resource in piece.resources)


def _with_password(resource: JSONObject) -> Iterator[str]:
    kind, _, name = str(resource["address"]).partition(":")
    fields = resource["fields"]
    if kind == "user" and isinstance(fields, dict) and "password" in fields:
        yield name


def refuse_failures(answer: JSONObject) -> None:
    """Raise TargetFailed for the first resource that could not be baked."""
    results = answer.get("results")
    for result in results if isinstance(results, list) else []:
        if isinstance(result, dict) and result.get("outcome") == "failed":
            raise TargetFailed(f"{result.get('address')} could not be baked", why=str(result.get("error", "")))
