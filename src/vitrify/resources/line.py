"""The kind `line`: one line in a file that holds other things as well."""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from vitrify.core import place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Attributes, System


def _line_rules(values: Mapping[str, JSON]) -> List[Problem]:
    line, match = values.get("line"), values.get("match")
    if line is None and match is None:
        return [Problem((), "one of `line`, `match` is needed")]
    if isinstance(line, str) and ("\n" in line or "\r" in line):
        return [Problem(("line",), "a line cannot hold a line break", "declare one `line` for each")]
    if match is None:
        return []
    try:
        pattern = re.compile(str(match))
    except re.error as error:
        return [Problem(("match",), "`match` is not a regular expression", str(error))]
    if line is not None and not pattern.search(str(line)):
        return [
            Problem(("match",), "`match` is not found in `line`, so the next run would not know its own line again", "widen the pattern")
        ]
    return []


class Line(Kind):
    """One line in a file.

    `match` picks the line to replace: the last one in which the pattern is found. Where none is found (or no pattern is given and
    no line equals the wished one) the line is added at the end. Line endings and a missing final newline stay as they are.
    Absent, every line equal to `line` goes; where there is no `line`, every one in which `match` is found.
    """

    name = "line"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    shares = True
    schema = Schema(
        fields={
            "path": Field(Type.PATH, "the file", required=True),
            "line": Field(Type.TEXT, "the line, without its ending"),
            "match": Field(Type.TEXT, "a regular expression (Python's) for the line to replace; it must be found in `line` too"),
            "create": Field(Type.BOOLEAN, "whether a missing file is created, 0644; without this it is a failure"),
        },
        needs_one_of=(("line",),),
        rules=(_line_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path and what picks the line: the pattern, so that the wished line may change, else the line itself."""
        return f"{fields['path']}#{fields['match'] if 'match' in fields else fields['line']}"

    def desired(self, resource: Resource) -> Properties:
        """That the line is there as wished. The text itself is not a property: it may stand in a file that few may read."""
        return MISSING if resource.absent else {"type": "line", "line": "as wished"}

    def observe(self, resource: Resource, system: System) -> Observation:
        """Whether the line is there, and as wished."""
        path = str(resource.fields["path"])
        stat = system.stat(path)
        if stat is None:
            return Observation(resource.address, {**MISSING, "file": "missing"})
        if stat.type != "file":
            return Observation(resource.address, {"type": stat.type})
        content = system.read(path)
        return Observation(resource.address, _found(content, resource), place.body(path, stat, system))

    def enact(self, change: Change, system: System) -> None:
        """Write the file anew with the line in it, or without."""
        path = str(change.resource.fields["path"])
        stat = system.stat(path)
        if stat is not None and stat.type != "file":
            raise TargetFailed(f"{path} is not a regular file", why=f"it is a {stat.type}", hint="name the file itself")
        if stat is None and change.action is Action.REMOVE:
            return
        if stat is None:
            if change.resource.fields.get("create") is not True:
                raise TargetFailed(
                    f"{path} does not exist", why="a line was wished for in it", hint="add `create: true`, or declare the file before"
                )
            place.need_parent(path, system)
        before = system.read(path) if stat is not None else b""
        after = edited(before, change.resource)
        if stat is None or after != before:
            system.write(path, after, attributes=Attributes())

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The file."""
        return self.owned_paths(change.resource)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The file."""
        return (str(resource.fields["path"]),)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the file, where that is declared too, and after the folders that hold it."""
        path = str(resource.fields["path"])
        whole = Address("file", path)
        return (*place.after_folders(resource, path, others), *((whole,) if whole in others else ()))

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a line."""
        seen = change.before.get("type")
        if seen == "missing":
            missing = change.before.get("file") == "missing" and change.resource.fields.get("create") is not True
            return ("the file does not exist: this will fail unless it does by then",) if missing else ("is missing",)
        if seen != "line":
            return (f"the file is a {seen}: this will fail",)
        return ("the line differs",) if change.action is Action.UPDATE else change.because

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The whole file with the line in it, where everybody may read it."""
        if seen.body is None:
            return f"{resource.fields['line']}\n" if seen.properties.get("file") == "missing" and not resource.absent else None
        return edited(seen.body.encode(), resource).decode()


def edited(content: bytes, resource: Resource) -> bytes:
    """The file's content with the wish fulfilled."""
    lines = content.split(b"\n")
    complete = lines[-1] == b""  # the file ends with a newline, or is empty
    if complete:
        lines.pop()
    picked = _picked(lines, resource)
    if resource.absent:
        lines = [line for index, line in enumerate(lines) if index not in picked]
    else:
        ending = b"\r" if lines and lines[0].endswith(b"\r") else b""
        wished = str(resource.fields["line"]).encode("utf-8", "surrogateescape")
        if picked:
            lines[picked[-1]] = wished + (b"\r" if lines[picked[-1]].endswith(b"\r") else b"")
        else:
            lines = _with_ending(lines, ending, complete=complete)
            lines.append(wished + (ending if complete else b""))
    return b"\n".join(lines) + (b"\n" if lines and complete else b"")


def _with_ending(lines: List[bytes], ending: bytes, *, complete: bool) -> List[bytes]:
    return lines if complete else [*lines[:-1], lines[-1] + ending]


def _picked(lines: List[bytes], resource: Resource) -> List[int]:
    """The places of the lines that the wish is about."""
    texts = [line[:-1] if line.endswith(b"\r") else line for line in lines]
    decoded = [text.decode("utf-8", "surrogateescape") for text in texts]
    match, wished = resource.fields.get("match"), resource.fields.get("line")
    if match is None or (resource.absent and wished is not None):
        return [index for index, text in enumerate(decoded) if text == wished]
    pattern = re.compile(str(match))
    return [index for index, text in enumerate(decoded) if pattern.search(text)]


def _found(content: bytes, resource: Resource) -> Dict[str, JSON]:
    lines = content.split(b"\n")
    picked = _picked(lines[:-1] if lines[-1] == b"" else lines, resource)
    if not picked:
        return dict(MISSING)
    return {"type": "line", "line": "as wished" if resource.absent or edited(content, resource) == content else "other"}
