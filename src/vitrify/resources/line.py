"""The kind `line`: one line in a file that holds other things as well."""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Mapping, Optional, Pattern, Tuple

from vitrify.core import insertion, place
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
    return [*insertion.problems(values), *_match_problems(values)]


def _match_problems(values: Mapping[str, JSON]) -> List[Problem]:
    line, match, backrefs = values.get("line"), values.get("match"), values.get("backrefs") is True
    if match is None:
        return [Problem(("backrefs",), "`backrefs` has no meaning without `match`")] if backrefs else []
    try:
        pattern = re.compile(str(match))
    except re.error as error:
        return [Problem(("match",), "`match` is not a regular expression", str(error))]
    if line is None or (not backrefs and pattern.search(str(line))):
        return []
    if backrefs:
        return _backref_problems(pattern, str(line))
    return [Problem(("match",), "`match` is not found in `line`, so the next run would not know its own line again", "widen the pattern")]


def _backref_problems(pattern: Pattern[str], line: str) -> List[Problem]:
    try:
        pattern.sub(line, "")
    except (re.error, IndexError) as error:
        return [Problem(("line",), "`line` names a group that `match` has not", str(error))]
    return []


class Line(Kind):
    """One line in a file.

    `match` picks the line to replace: the last one in which the pattern is found. Where none is found (or no pattern is given and
    no line equals the wished one) the line is added where `insert_after` or `insert_before` say, else at the end. Line endings and
    a missing final newline stay as they are.
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
            "backrefs": Field(
                Type.BOOLEAN, r"whether `\1` and `\g<name>` in `line` stand for what `match` found; where it finds nothing, nothing is done"
            ),
            **insertion.FIELDS,
            "create": Field(Type.BOOLEAN, "whether a missing file is created, 0644; without this it is a failure"),
            "owner": Field(Type.NAME, "who owns a file that is created"),
            "group": Field(Type.NAME, "the group of a file that is created"),
            "mode": Field(Type.MODE, "the permissions of a file that is created"),
        },
        one_of=(insertion.EXCLUSIVE,),
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
            _refuse_restless(after, change.resource)
            new = place.attributes(place.wished(change.resource.fields)) if stat is None else Attributes()
            system.write(path, after, attributes=new)

    def rest(self, content: bytes, resource: Resource) -> bytes:
        """The file as it would be with the line taken away."""
        return edited(content, resource.gone())

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
        if picked:
            lines[picked[-1]] = _replaced(lines[picked[-1]], resource)
        elif resource.fields.get("backrefs") is not True:
            lines = _added(lines, _wished(resource), insertion.place(_texts(lines), resource.fields), (ending, complete))
    return b"\n".join(lines) + (b"\n" if lines and complete else b"")


def _added(lines: List[bytes], wished: bytes, index: int, endings: Tuple[bytes, bool]) -> List[bytes]:
    """The lines with a new one before this index. Only the last line of an incomplete file lacks an ending."""
    ending, complete = endings
    if index < len(lines) or complete:
        return [*lines[:index], wished + ending, *lines[index:]]
    return [*lines[:-1], lines[-1] + ending, wished]


def _wished(resource: Resource) -> bytes:
    return str(resource.fields["line"]).encode("utf-8", "surrogateescape")


def _replaced(line: bytes, resource: Resource) -> bytes:
    ending = b"\r" if line.endswith(b"\r") else b""
    if resource.fields.get("backrefs") is not True:
        return _wished(resource) + ending
    (text,) = _texts([line])
    found = re.search(str(resource.fields["match"]), text)
    return found.expand(str(resource.fields["line"])).encode("utf-8", "surrogateescape") + ending if found else line


def _refuse_restless(content: bytes, resource: Resource) -> None:
    if resource.fields.get("backrefs") is True and edited(content, resource) != content:
        raise TargetFailed(
            f"{resource.address} would change its own line again the next time",
            why="`match` finds something else in the new line",
            hint="narrow the pattern",
        )


def _texts(lines: List[bytes]) -> List[str]:
    bare = [line[:-1] if line.endswith(b"\r") else line for line in lines]
    return [line.decode("utf-8", "surrogateescape") for line in bare]


def _picked(lines: List[bytes], resource: Resource) -> List[int]:
    """The places of the lines that the wish is about."""
    decoded = _texts(lines)
    match, wished = resource.fields.get("match"), resource.fields.get("line")
    if match is None or (resource.absent and wished is not None):
        return [index for index, text in enumerate(decoded) if text == wished]
    pattern = re.compile(str(match))
    return [index for index, text in enumerate(decoded) if pattern.search(text)]


def _found(content: bytes, resource: Resource) -> Dict[str, JSON]:
    lines = content.split(b"\n")
    picked = _picked(lines[:-1] if lines[-1] == b"" else lines, resource)
    if not picked and resource.fields.get("backrefs") is True and not resource.absent:
        return {"type": "line", "line": "as wished"}
    if not picked:
        return dict(MISSING)
    return {"type": "line", "line": "as wished" if resource.absent or edited(content, resource) == content else "other"}
