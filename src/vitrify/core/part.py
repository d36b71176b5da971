"""Kinds that own a part of a file which holds other things as well: what they have in common around the editing of its text."""

from __future__ import annotations

from abc import abstractmethod
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from vitrify.core import place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Type
from vitrify.core.system import Attributes, System, digest_like

AS_WISHED, OTHER, UNKNOWN = "as wished", "other", "cannot be told"

Blob = Callable[[str], bytes]
Named = Callable[[bytes, str], bool]
"""Whether these bytes are what a digest names."""

FIELDS: Mapping[str, Field] = {
    "path": Field(Type.PATH, "the file", required=True),
    "create": Field(Type.BOOLEAN, "whether a missing file is created; without this it is a failure"),
    "owner": Field(Type.NAME, "who owns a file that is created"),
    "group": Field(Type.NAME, "the group of a file that is created"),
    "mode": Field(Type.MODE, "the permissions of a file that is created; 0644 where not given, 0600 where what it gets is secret"),
    "validate": Field(Type.TEXTS, "a command that must succeed before the file is put in place; `%s` stands for the new file"),
}


def problems(values: Mapping[str, JSON]) -> List[Problem]:
    """What is wrong with these fields that one alone cannot tell."""
    command = values.get("validate")
    if isinstance(command, list) and not any("%s" in str(word) for word in command):
        return [Problem(("validate",), "`validate` does not say where the new file goes", "write %s in its place")]
    return []


def refused(why: str, *, hint: str = "") -> TargetFailed:
    """The file is written in a way that this kind does not understand. `why` must not quote it: it may hold secrets."""
    return TargetFailed("the file cannot be edited", why=why, hint=hint)


class Part(Kind):
    """A part of a file. The text of the part is never a property: it may stand in a file that few may read."""

    phases = frozenset({Phase.BAKE, Phase.LIVE})
    shares = True

    @abstractmethod
    def state(self, content: bytes, resource: Resource, named: Named) -> Optional[bool]:
        """Whether the part is as wished; None where it is not there. Raises what `refused` returns."""

    @abstractmethod
    def edited(self, content: bytes, resource: Resource, blob: Blob) -> bytes:
        """The whole file with the part as wished, or without an absent one; all else byte for byte as it was."""

    def desired(self, resource: Resource) -> Properties:
        """That the part is there as wished."""
        return MISSING if resource.absent else {"type": self.name, self.name: AS_WISHED}

    def observe(self, resource: Resource, system: System) -> Observation:
        """Whether the part is there, and as wished."""
        path = str(resource.fields["path"])
        stat = system.stat(path)
        if stat is None:
            return Observation(resource.address, {**MISSING, "file": "missing"})
        if stat.type != "file":
            return Observation(resource.address, {"type": stat.type})
        found = self._found(system.read(path), resource, system)
        return Observation(resource.address, found, None if resource.secret else place.body(path, stat, system))

    def _found(self, content: bytes, resource: Resource, system: System) -> Properties:
        try:
            state = self.state(content, resource, lambda part, digest: digest_like(digest, part, system) == digest)
        except TargetFailed as error:
            return {"type": self.name, self.name: UNKNOWN, "refused": error.diagnostics[0].why}
        if state is None:
            return MISSING
        return {"type": self.name, self.name: AS_WISHED if state or resource.absent else OTHER}

    def enact(self, change: Change, system: System) -> None:
        """Write the file anew with the part in it, or without."""
        resource = change.resource
        path = str(resource.fields["path"])
        stat = system.stat(path)
        if stat is not None and stat.type != "file":
            raise TargetFailed(f"{path} is not a regular file", why=f"it is a {stat.type}", hint="name the file itself")
        if stat is None and change.action is Action.REMOVE:
            return
        if stat is None:
            self._need_create(resource, path)
            place.need_parent(path, system)
        before = system.read(path) if stat is not None else b""
        try:
            after = self.edited(before, resource, system.blob)
        except TargetFailed as error:
            first = error.diagnostics[0]
            raise TargetFailed(f"{path} cannot be edited", why=first.why, hint=first.hint) from error
        if stat is None or after != before:
            system.write(path, after, attributes=_new(resource) if stat is None else Attributes(), validate=_validate(resource))

    def _need_create(self, resource: Resource, path: str) -> None:
        if resource.fields.get("create") is not True:
            hint = "add `create: true`, or declare the file before" if "create" in self.schema.fields else "declare the file before"
            raise TargetFailed(f"{path} does not exist", why=f"a {self.name} was wished for in it", hint=hint)

    def rest(self, content: bytes, resource: Resource) -> bytes:
        """The file as it would be with the part taken away."""
        if not self.schema.removable:
            return content
        try:
            return self.edited(content, resource.gone(), _nothing)
        except TargetFailed:
            return content

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The file."""
        return self.owned_paths(change.resource)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The file."""
        return (str(resource.fields["path"]),)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the file, where that is declared or fetched too, and after the folders that hold it."""
        path = str(resource.fields["path"])
        whole = (Address(kind, path) for kind in ("file", "download"))
        return (*place.after_folders(resource, path, others), *(address for address in whole if address in others))

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a part of a file."""
        seen = change.before.get("type")
        if "refused" in change.before:
            return (f"the file cannot be edited, so this will fail: {change.before['refused']}",)
        if seen == "missing":
            missing = change.before.get("file") == "missing" and change.resource.fields.get("create") is not True
            return ("the file does not exist: this will fail unless it does by then",) if missing else ("is missing",)
        if seen != self.name:
            return (f"the file is a {seen}: this will fail",)
        return (f"the {self.name} differs",) if change.action is Action.UPDATE else change.because

    def text(self, resource: Resource, seen: Observation, blob: Blob) -> Optional[str]:
        """The whole file with the part in it, where everybody may read it."""
        if resource.secret or "refused" in seen.properties:
            return None
        new = seen.properties.get("file") == "missing" and not resource.absent and place.public(_new(resource).mode or "0644")
        if seen.body is None and not new:
            return None
        try:
            return place.as_text(self.edited((seen.body or "").encode(), resource, blob))
        except TargetFailed:
            return None


def _nothing(_: str) -> bytes:
    return b""  # to take a part away needs no content


def _new(resource: Resource) -> Attributes:
    properties: Dict[str, JSON] = {"mode": "0600"} if resource.secret else {}
    return place.attributes({**properties, **place.wished(resource.fields)})


def _validate(resource: Resource) -> Tuple[str, ...]:
    command = resource.fields.get("validate")
    return tuple(str(word) for word in command) if isinstance(command, list) else ()


def texts(lines: List[bytes]) -> List[str]:
    """Lines as text, without their carriage returns."""
    bare = (line[:-1] if line.endswith(b"\r") else line for line in lines)
    return [line.decode("utf-8", "surrogateescape") for line in bare]


def ending(content: bytes) -> bytes:
    """How this file ends its lines."""
    first = content.partition(b"\n")[0]
    return b"\r\n" if b"\n" in content and first.endswith(b"\r") else b"\n"
