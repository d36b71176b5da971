"""The `scope` argument: which target a call is about, where that target remembers, and who asks."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Iterable, List, Sequence, Tuple

from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.resource import Resource
from vitrify.core.stranger import Reference
from vitrify.core.system import Target
from vitrify.onhost.context import Context
from vitrify.onhost.live import live_system
from vitrify.onhost.memory import Memory
from vitrify.onhost.root import folder_system, image_system
from vitrify.onhost.rooted import Rooted
from vitrify.onhost.sidecar import Sidecar, read_table
from vitrify.onhost.strangers import Guests, references, refuse_ours

ATTRIBUTES = "attributes.json"


@dataclass(frozen=True)
class Scope:
    """What every converge call begins with."""

    target: Target
    root: str
    lower: Tuple[str, ...]
    project: str
    server: str
    memory: str
    bwrap: str
    key: bytes
    table: str = ""
    """Of an image: the file that says which modes and owners the layers beneath have beside those on disk."""

    @classmethod
    def of(cls, arguments: JSONObject) -> Scope:
        """The scope of a call's arguments."""
        data = arguments.get("scope")
        if not isinstance(data, dict):
            raise UsageInvalid("the call does not say its scope")
        lower = data.get("lower")
        scope = cls(
            target=Target(data.get("target")),
            root=str(data.get("root", "")),
            lower=tuple(str(folder) for folder in lower) if isinstance(lower, list) else (),
            project=str(data.get("project", "")),
            server=str(data.get("server", "")),
            memory=str(data.get("memory", "")),
            bwrap=str(data.get("bwrap", "")),
            key=bytes.fromhex(str(data.get("key", ""))),
            table=str(data.get("table", "")),
        )
        if not os.path.isdir(scope.root):
            raise UsageInvalid(f"there is no folder {scope.root!r} to work on", hint="create it, or correct `hosts` or `base`")
        return scope


@dataclass(frozen=True)
class Here:
    """The target of one call, and all that the call works with."""

    context: Context
    scope: Scope
    system: Rooted
    memory: Memory
    guests: Guests
    """The kinds that are not ours; `context.kinds` knows them too."""

    @classmethod
    def at(cls, context: Context, arguments: JSONObject) -> Here:
        """Open the target that the arguments name. Changes nothing."""
        scope = Scope.of(arguments)
        memory = Memory(scope.memory, within=scope.root)
        guests = guests_of(context, scope, arguments)
        context = replace(context, kinds=context.kinds.beside(guests))
        return cls(context, scope, _system(scope, memory, context), memory, guests)

    def again(self, run: Sequence[Reference]) -> Here:
        """The same, for what is done about a run: with the kinds of others that it was made with."""
        guests = self.guests.of(run)
        return replace(self, guests=guests, context=replace(self.context, kinds=self.context.kinds.beside(guests)))

    def resources(self, arguments: JSONObject, name: str = "resources") -> Tuple[Resource, ...]:
        """The resources in an argument, each checked by its kind's schema once more."""
        found = tuple(Resource.from_json(item) for item in objects(arguments, name))
        self._refuse_invalid(found)
        return found

    def _refuse_invalid(self, resources: Iterable[Resource]) -> None:
        for resource in resources:
            kind = self.context.kinds[resource.address.kind]
            problems = kind.schema.problems(resource.fields, absent=resource.absent, resolved=True)
            if problems:
                raise UsageInvalid(f"{resource.address}: {problems[0].summary}", hint=problems[0].hint)


def guests_of(context: Context, scope: Scope, arguments: JSONObject) -> Guests:
    """The kinds of others that a call may use."""
    sent = references(arguments)
    refuse_ours(sent, context.kinds.ours)
    return Guests(
        Memory(scope.memory, within=scope.root) if scope.memory else None,
        context.blob,
        key=scope.key,
        believed=scope.target is Target.HOST,
        sent=tuple(replace(reference, voucher="") for reference in sent),
        server=(scope.project, scope.server),
    )


def objects(arguments: JSONObject, name: str) -> List[JSONObject]:
    """A list of objects among the arguments; none where it was not given."""
    found = arguments.get(name, [])
    if not isinstance(found, list):
        raise UsageInvalid(f"the argument {name!r} is not a list")
    return [item for item in found if isinstance(item, dict)]


def texts(value: JSON) -> Tuple[str, ...]:
    """A list of texts; none where it is no list."""
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _system(scope: Scope, memory: Memory, context: Context) -> Rooted:
    if scope.target is Target.HOST:
        return live_system(blob=context.blob, key=scope.key)
    if scope.target is Target.IMAGE:
        table = read_table(scope.table) if scope.table else {}
        return image_system(scope.root, scope.lower, table=table, bwrap=scope.bwrap, blob=context.blob, key=scope.key)
    sidecar = None if os.geteuid() == 0 else _sidecar(memory)
    return folder_system(scope.root, sidecar=sidecar, bwrap=scope.bwrap, blob=context.blob, key=scope.key)


def _sidecar(memory: Memory) -> Sidecar:
    kept = memory.read(ATTRIBUTES) if memory.there() else None
    rows = kept.get("paths") if kept else None
    return Sidecar(rows if isinstance(rows, dict) else {}, save=lambda table: memory.write(ATTRIBUTES, {"paths": table}))
