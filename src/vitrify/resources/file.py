"""The kind `file`: a regular file with this content, mode and owner."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional, Tuple

from vitrify.core import place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System


def _template_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    if "vars" in values and "template" not in values:
        found.append(Problem(("vars",), "`vars` has no meaning without `template`"))
    if "vars" in values and not isinstance(values["vars"], dict):
        found.append(Problem(("vars",), "expected a map", "write {NAME: value}"))
    command = values.get("validate")
    if isinstance(command, list) and not any("%s" in str(word) for word in command):
        found.append(Problem(("validate",), "`validate` does not say where the new file goes", "write %s in its place"))
    return found


class File(Kind):
    """A regular file.

    Only what is declared is compared: without a content the file keeps the one it has (a missing file is created empty).
    A link in its place is replaced by a file, never followed; a folder in its place is a failure.
    """

    name = "file"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    confined = True
    schema = Schema(
        fields={
            "path": Field(Type.PATH, "where the file is", required=True),
            "content": Field(Type.TEXT, "what it holds", secret=True),
            "template": Field(Type.TEXT, "a Jinja template in the project that renders what it holds", secret=True, control=True),
            "vars": Field(Type.ANY, "a map of values for the template", secret=True, control=True),
            "source": Field(Type.TEXT, "a file in the project to take byte for byte", control=True),
            "owner": place.OWNER,
            "group": place.GROUP,
            "mode": Field(
                Type.MODE, "its permissions; left as they are where not given, 0644 on a new file, 0600 where the content is secret"
            ),
            "parents": place.PARENTS,
            "validate": Field(Type.TEXTS, "a command that must succeed before the file is put in place; `%s` stands for the new file"),
        },
        one_of=(("content", "template", "source"),),
        rules=(_template_rules,),
    )
    short = "path"

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path."""
        return str(fields["path"])

    def desired(self, resource: Resource) -> Properties:
        """Type, and of content, mode and owner what was declared; a secret is for its owner alone unless a mode says otherwise."""
        if resource.absent:
            return MISSING
        fields = resource.fields
        found: Dict[str, JSON] = {"type": "file", **place.wished(fields)}
        if resource.secret:
            found.setdefault("mode", "0600")
        if "content" in fields:
            found["content"] = fields["content"]
        return found

    def observe(self, resource: Resource, system: System) -> Observation:
        """The entry at the path; its content is read only where one was declared."""
        path = str(resource.fields["path"])
        stat = system.stat(path)
        found = place.seen(stat)
        if stat is None or stat.type != "file" or "content" not in resource.fields:
            return Observation(resource.address, found)
        found["content"] = system.digest(path, keyed=resource.secret)
        return Observation(resource.address, found, None if resource.secret else place.body(path, stat, system))

    def enact(self, change: Change, system: System) -> None:
        """Write the file in one rename, or set what differs of its mode and owner."""
        path = str(change.resource.fields["path"])
        stat = system.stat(path)
        if stat is not None and stat.type == "directory":
            raise TargetFailed(
                f"{path} is a folder", why="a folder is never replaced by a file", hint=f"remove it first: `directory: {path}`, absent"
            )
        if change.action is Action.REMOVE:
            system.remove(path)
            return
        attributes = place.attributes(change.after)
        if stat is None:
            place.provide_parent(change.resource.fields, path, system)
        elif stat.type == "file" and _same_content(change, path, system):
            system.set_attributes(path, attributes)
            return
        wished = change.after.get("content")
        content = system.blob(str(wished)) if wished is not None else b""
        system.write(path, content, attributes=attributes, validate=_validate(change.resource))

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The path, and the folders above it that may be created."""
        return place.written(change.resource.fields, str(change.resource.fields["path"]))

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The path."""
        return (str(resource.fields["path"]),)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folders that hold it."""
        return place.after_folders(resource, str(resource.fields["path"]), others)

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """Rests on its owner, where the plan makes that."""
        return place.owned_by_earlier(change, earlier)

    def because(self, change: Change) -> Tuple[str, ...]:
        """Says at once that a folder in its place will not be replaced."""
        if change.before.get("type") == "directory":
            return (*change.because, "a folder is never replaced or removed as a file: this will fail")
        return change.because

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The wished content, unless it is secret or either version is not for everybody to read."""
        if resource.absent:
            return ""
        mode = place.wished(resource.fields).get("mode", seen.properties.get("mode", "0644"))
        if resource.secret or "content" not in resource.fields or not place.public(mode):
            return None
        return place.as_text(blob(str(resource.fields["content"])))


def _same_content(change: Change, path: str, system: System) -> bool:
    wished = change.after.get("content")
    return wished is None or system.digest(path, keyed=change.resource.secret) == wished


def _validate(resource: Resource) -> Tuple[str, ...]:
    command = resource.fields.get("validate")
    return tuple(str(word) for word in command) if isinstance(command, list) else ()
