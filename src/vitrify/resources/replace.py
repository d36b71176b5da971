"""The kind `replace`: whatever a pattern finds in a file becomes something else."""

from __future__ import annotations

import re
from typing import List, Mapping, Optional, Tuple

from vitrify.core import part
from vitrify.core.digest import JSON
from vitrify.core.resource import Resource
from vitrify.core.schema import Field, Problem, Schema, Type

PATTERNS = ("match", "start_after", "end_before")
FIELDS = {name: field for name, field in part.FIELDS.items() if name in ("path", "validate")}


def _replace_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = part.problems(values)
    for name in PATTERNS:
        try:
            pattern = re.compile(str(values.get(name, "")), re.MULTILINE)
        except re.error as error:
            return [*found, Problem((name,), f"`{name}` is not a regular expression", str(error))]
        if name == "match":
            found += _group_problems(pattern, str(values["to"]))
    return found


def _group_problems(pattern: re.Pattern[str], to: str) -> List[Problem]:
    try:
        pattern.sub(to, "")
    except (re.error, IndexError) as error:
        return [Problem(("to",), "`to` names a group that `match` has not", str(error))]
    return []


class Replace(part.Part):
    r"""Whatever a pattern finds in a file is replaced, everywhere or between two other patterns.

    A pattern is Python's, `^` and `$` are the ends of a line, and `\1` in `to` stands for what its first group found. Where it is
    found nowhere, or a bound is not found, there is nothing to do. The result must be at rest: a pattern that finds its own
    replacement and changes it again is refused.
    """

    name = "replace"
    schema = Schema(
        fields={
            **FIELDS,
            "match": Field(Type.TEXT, "a regular expression (Python's)", required=True),
            "to": Field(Type.TEXT, r"what is put in its place; `\1` and `\g<name>` stand for what groups found", required=True),
            "start_after": Field(Type.TEXT, "a regular expression: only what comes after the first place it is found in is looked at"),
            "end_before": Field(Type.TEXT, "a regular expression: only what comes before the first place it is found in after that"),
        },
        rules=(_replace_rules,),
        removable=False,
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path, the pattern and its bounds."""
        bounds = [f"{name}={fields[name]}" for name in PATTERNS[1:] if name in fields]
        return "#".join([str(fields["path"]), str(fields["match"]), *bounds])

    def desired(self, resource: Resource) -> Mapping[str, JSON]:
        """That nothing is left to replace. One that left wishes for nothing: what was replaced is not known any more."""
        return {} if resource.absent else super().desired(resource)

    def state(self, content: bytes, resource: Resource, named: part.Named) -> Optional[bool]:
        """Whether there is nothing left to do."""
        return self._replaced(content, resource) == content

    def edited(self, content: bytes, resource: Resource, blob: part.Blob) -> bytes:
        """The file with everything replaced."""
        after = self._replaced(content, resource)
        if self._replaced(after, resource) != after:
            raise part.refused("`match` finds what was put in place and would change it again each time", hint="narrow the pattern")
        return after

    def _replaced(self, content: bytes, resource: Resource) -> bytes:
        text = content.decode("utf-8", "surrogateescape")
        start, end = _bounds(text, resource.fields)
        pattern = re.compile(str(resource.fields["match"]), re.MULTILINE)
        parts, done = [], 0
        for found in pattern.finditer(text, start, end):
            parts += [text[done : found.start()], found.expand(str(resource.fields["to"]))]
            done = found.end()
        return "".join([*parts, text[done:]]).encode("utf-8", "surrogateescape")


def _bounds(text: str, fields: Mapping[str, JSON]) -> Tuple[int, int]:
    """Where to look; nowhere, where a bound is not found."""
    start, end = 0, len(text)
    if "start_after" in fields:
        found = re.compile(str(fields["start_after"]), re.MULTILINE).search(text)
        start = found.end() if found else end
    if "end_before" in fields:
        found = re.compile(str(fields["end_before"]), re.MULTILINE).search(text, start)
        end = found.start() if found else start
    return start, end
