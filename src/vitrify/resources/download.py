"""The kind `download`: a file that is had over the network, and is what its checksum says."""

from __future__ import annotations

from typing import List, Mapping, Tuple

from vitrify.core import pinned, place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System


def _download_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = pinned.problems(values)
    command = values.get("validate")
    if isinstance(command, list) and not any("%s" in str(word) for word in command):
        found.append(Problem(("validate",), "`validate` does not say where the new file goes", "write %s in its place"))
    return found


class Download(Kind):
    """A file that is had from a URL, and is what its checksum says.

    It is fetched where the file is missing or has another checksum, by the target itself; a plan asks nobody. A connection that
    breaks is taken up again. What does not have the checksum is never put in place. Headers and token go to the origin of the URL
    alone, wherever it leads on to, and never from https to http.
    """

    name = "download"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "path": Field(Type.PATH, "where the file goes", required=True),
            **pinned.FIELDS,
            "owner": place.OWNER,
            "group": place.GROUP,
            "mode": Field(Type.MODE, "its permissions; left as they are where not given, 0644 on a new file"),
            "parents": place.PARENTS,
            "validate": Field(Type.TEXTS, "a command that must succeed before the file is put in place; `%s` stands for the new file"),
        },
        needs_one_of=(("url",), ("checksum",)),
        rules=(_download_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path."""
        return str(fields["path"])

    def desired(self, resource: Resource) -> Properties:
        """The checksum, and of mode and owner what was declared."""
        if resource.absent:
            return MISSING
        return {"type": "file", "content": resource.fields["checksum"], **place.wished(resource.fields)}

    def observe(self, resource: Resource, system: System) -> Observation:
        """The entry at the path and its checksum."""
        path = str(resource.fields["path"])
        found = place.seen(system.stat(path))
        if found["type"] == "file" and not resource.absent:
            with system.open(path) as stream:
                found["content"] = pinned.checksum_of(stream, like=str(resource.fields["checksum"]))
        return Observation(resource.address, found)

    def enact(self, change: Change, system: System) -> None:
        """Fetch it and write it in one rename, or set what differs of its mode and owner."""
        fields, path = change.resource.fields, str(change.resource.fields["path"])
        stat = system.stat(path)
        if stat is not None and stat.type == "directory":
            raise TargetFailed(
                f"{path} is a folder", why="a folder is never replaced by a file", hint="remove it first, or name a file in it"
            )
        if change.action is Action.REMOVE:
            system.remove(path)
            return
        attributes = place.attributes(change.after)
        if self.observe(change.resource, system).properties.get("content") == fields["checksum"]:
            system.set_attributes(path, attributes)
            return
        place.provide_parent(fields, path, system)
        validate = fields.get("validate")
        check = tuple(str(word) for word in validate) if isinstance(validate, list) else ()
        with pinned.had(fields, system) as stream:
            system.write(path, stream, attributes=attributes, validate=check)

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The path, and the folders above it that may be created."""
        return place.written(change.resource.fields, str(change.resource.fields["path"]))

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The path."""
        return (str(resource.fields["path"]),)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folders that hold it."""
        return place.after_folders(resource, str(resource.fields["path"]), others)

    def because(self, change: Change) -> Tuple[str, ...]:
        """Says at once that a folder in its place will not be replaced."""
        if change.before.get("type") == "directory":
            return (*change.because, "a folder is never replaced or removed as a file: this will fail")
        return tuple("the checksum differs" if reason.startswith("content ") else reason for reason in change.because)
