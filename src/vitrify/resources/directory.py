"""The kind `directory`: one folder with this mode and owner."""

from __future__ import annotations

from typing import Dict, List, Mapping, Tuple

from vitrify.core import below, place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System

SHOWN = 3
AS_WISHED = "as wished"


def _recurse_rules(values: Mapping[str, JSON]) -> List[Problem]:
    if values.get("recurse") is True and not {"owner", "group", "mode"} & set(values):
        return [Problem(("recurse",), "`recurse` has nothing to pass on", "declare owner, group or mode")]
    return []


class Directory(Kind):
    """One folder; what is in it is not its business, unless `recurse` passes owner, group and mode on to it.

    Only an empty folder is removed. One that left the declaration and holds something foreign stays, and is forgotten;
    one that is declared absent and still holds something when its turn comes is a failure that says what is in it.
    """

    name = "directory"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    confined = True
    schema = Schema(
        fields={
            "path": Field(Type.PATH, "where the folder is", required=True),
            "owner": place.OWNER,
            "group": place.GROUP,
            "mode": Field(Type.MODE, "its permissions; left as they are where not given, 0755 on a new folder"),
            "parents": place.PARENTS,
            "recurse": Field(
                Type.BOOLEAN,
                "whether all below gets its owner, group and mode too; a file gets no permission to execute that it has not already",
            ),
        },
        rules=(_recurse_rules,),
    )
    short = "path"

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path."""
        return str(fields["path"])

    def desired(self, resource: Resource) -> Properties:
        """Type, and of mode and owner what was declared."""
        if resource.absent:
            return MISSING
        passed_on: Dict[str, JSON] = {"below": AS_WISHED} if resource.fields.get("recurse") is True else {}
        return {"type": "directory", **place.wished(resource.fields), **passed_on}

    def observe(self, resource: Resource, system: System) -> Observation:
        """The entry at the path; of a folder that is declared absent also what it holds."""
        path = str(resource.fields["path"])
        found: Dict[str, JSON] = place.seen(system.stat(path))
        if resource.absent and found["type"] == "directory":
            found["holds"] = list(system.names(path))
        elif resource.fields.get("recurse") is True and found["type"] == "directory":
            found["differing"] = below.differing(path, place.wished(resource.fields), system)
            found["below"] = "differs" if found["differing"] else AS_WISHED
        return Observation(resource.address, found)

    def enact(self, change: Change, system: System) -> None:
        """Create the folder, or set what differs of its mode and owner; a file or link in its place is replaced."""
        path = str(change.resource.fields["path"])
        stat = system.stat(path)
        if change.action is Action.REMOVE:
            if stat is None or stat.type != "directory" or not system.names(path):
                system.remove(path)
            elif "holds" in change.before:
                raise TargetFailed(
                    f"{path} is not empty",
                    why=f"it holds {_few(system.names(path))}",
                    hint="declare these absent as well, or take them away",
                )
            return
        attributes = place.attributes(change.after)
        if stat is not None and stat.type == "directory":
            system.set_attributes(path, attributes)
            for name in _differing(change):
                below.mend(f"{path.rstrip('/')}/{name}", change.after, system)
            return
        if stat is not None:
            system.remove(path)
        place.provide_parent(change.resource.fields, path, system)
        system.make_directory(path, attributes=attributes)

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The path, the folders above it that may be created, and all below that differs."""
        path = str(change.resource.fields["path"])
        return (*place.written(change.resource.fields, path), *(f"{path.rstrip('/')}/{name}" for name in _differing(change)))

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The path."""
        return (str(resource.fields["path"]),)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folders that hold it; an absent one after all that was in it."""
        return place.after_folders(resource, str(resource.fields["path"]), others)

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """Rests on its owner, where the plan makes that."""
        return place.owned_by_earlier(change, earlier)

    def because(self, change: Change) -> Tuple[str, ...]:
        """Of a removal also what stands against it; of what is passed on, where it is not so."""
        if _differing(change):
            reasons = [reason for reason in change.because if not reason.startswith("below ")]
            return (*reasons, f"differs below: {_few(_differing(change))}")
        if change.action is not Action.REMOVE or change.before.get("type") != "directory":
            return change.because
        held = change.before.get("holds")
        if held is None:
            return (*change.because, "stays if something foreign is in it")
        return (*change.because, f"holds {_few(tuple(str(name) for name in held))}") if isinstance(held, list) and held else change.because


def _differing(change: Change) -> Tuple[str, ...]:
    names = change.before.get("differing")
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def _few(names: Tuple[str, ...]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
