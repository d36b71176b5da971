"""The kind `link`: a symbolic link and where it leads."""

from __future__ import annotations

from typing import List, Mapping, Tuple

from vitrify.core import place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System


def _target_rules(values: Mapping[str, JSON]) -> List[Problem]:
    to = values.get("to")
    if isinstance(to, str) and (not to or any(ord(character) < 32 for character in to)):
        return [Problem(("to",), "a link must lead somewhere" if not to else "a path cannot hold control characters")]
    return []


class Link(Kind):
    """A symbolic link. What it leads to need not exist. A file in its place is replaced; a folder in its place is a failure."""

    name = "link"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    confined = True
    schema = Schema(
        fields={
            "path": Field(Type.PATH, "where the link is", required=True),
            "to": Field(Type.TEXT, "what it leads to, absolute or relative to the link's folder"),
        },
        needs_one_of=(("to",),),
        rules=(_target_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path."""
        return str(fields["path"])

    def desired(self, resource: Resource) -> Properties:
        """Type and where it leads."""
        return MISSING if resource.absent else {"type": "link", "to": resource.fields["to"]}

    def observe(self, resource: Resource, system: System) -> Observation:
        """The entry at the path, not followed."""
        return Observation(resource.address, place.seen(system.stat(str(resource.fields["path"]))))

    def enact(self, change: Change, system: System) -> None:
        """Put the link in place, or take away what is there."""
        path = str(change.resource.fields["path"])
        stat = system.stat(path)
        if stat is not None and stat.type == "directory":
            raise TargetFailed(
                f"{path} is a folder", why="a folder is never replaced by a link", hint=f"remove it first: `directory: {path}`, absent"
            )
        if stat is not None and (stat.type != "link" or change.action is Action.REMOVE):
            system.remove(path)
        if change.action is not Action.REMOVE:
            place.need_parent(path, system)
            system.make_link(path, to=str(change.after["to"]))

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The path."""
        return self.owned_paths(change.resource)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The path."""
        return (str(resource.fields["path"]),)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folders that hold it."""
        return place.after_folders(resource, str(resource.fields["path"]), others)

    def because(self, change: Change) -> Tuple[str, ...]:
        """Says where the link leads now, and at once that a folder in its place will not be replaced."""
        if change.before.get("type") == "directory":
            return (*change.because, "a folder is never replaced or removed as a link: this will fail")
        if change.action is Action.UPDATE:
            return (f"leads to {change.before.get('to')}",)
        return change.because
