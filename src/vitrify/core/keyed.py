"""Kinds that own one key of a structured file: the path to it, and what shall stand there."""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import List, Mapping, Optional, Sequence, Tuple, Union

from vitrify.core import part
from vitrify.core.digest import JSON
from vitrify.core.resource import Resource
from vitrify.core.schema import Field, Problem, Type

Key = Tuple[Union[str, int], ...]
"""The way to a value: names of keys, and places in lists."""

FIELDS: Mapping[str, Field] = {
    "key": Field(
        Type.ANY,
        "the way to the value: names with dots between, as in `server.port`; or a list, where a number is a place in a list",
        required=True,
    ),
    "value": Field(Type.ANY, "what shall stand there: text, number, true or false, list, map"),
    "literal": Field(Type.TEXT, "what shall stand there, as it is written in the file: for what has no other way, as 0.5 or a date"),
    **part.FIELDS,
}
ONE_OF = (("value", "literal"),)


def problems(values: Mapping[str, JSON]) -> List[Problem]:
    """What is wrong with these fields that one alone cannot tell."""
    found = part.problems(values)
    way = values["key"]
    if isinstance(way, str):
        if not way or "" in way.split("."):
            found.append(
                Problem(("key",), f"{way!r} is not the way to a value", "names with dots between; a list where a name holds a dot")
            )
    elif not isinstance(way, list) or not way or not all(_is_step(step) for step in way) or not isinstance(way[0], str):
        found.append(Problem(("key",), "expected text or a list of names", "a number in it is a place in a list, counted from 0"))
    return (
        found
        + [
            Problem(("value",), "a fraction has no single spelling", "write it as `literal`, in quotes")
            for _ in _floats(values.get("value"))
        ][:1]
    )


def _is_step(step: JSON) -> bool:
    if isinstance(step, bool):
        return False
    return (isinstance(step, int) and step >= 0) or (
        isinstance(step, str) and bool(step) and all(ord(character) >= 32 for character in step)
    )


def _floats(value: JSON) -> List[float]:
    if isinstance(value, float):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for one in inner for found in _floats(one)]


def way(fields: Mapping[str, JSON]) -> Key:
    """The way to the value."""
    key = fields["key"]
    if isinstance(key, str):
        return tuple(key.split("."))
    return tuple(step if isinstance(step, int) else str(step) for step in key) if isinstance(key, list) else ()


def spoken(steps: Sequence[Union[str, int]]) -> str:
    """A way, for a person."""
    return ".".join(str(step) for step in steps)


def same(one: object, other: object) -> bool:
    """Whether two values are the same JSON: true is not 1, and order counts in lists alone."""
    return json.dumps(one, sort_keys=True, default=repr) == json.dumps(other, sort_keys=True, default=repr)


class Keyed(part.Part):
    """One key of a structured file. Its value is no secret: a plan shows it."""

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path and the way."""
        return f"{fields['path']}#{spoken(way(fields))}"

    def state(self, content: bytes, resource: Resource, named: part.Named) -> Optional[bool]:
        """Compares the value; an absent one is compared with nothing."""
        text = decoded(content)
        if resource.absent:
            return True if self.has(text, way(resource.fields)) else None
        if not self.has(text, way(resource.fields)):
            return None
        return self.holds(text, resource)

    def edited(self, content: bytes, resource: Resource, blob: part.Blob) -> bytes:
        """The file with the value in it, or without."""
        text = decoded(content)
        steps = way(resource.fields)
        if resource.absent:
            return self.without(text, steps).encode() if self.has(text, steps) else content
        if self.has(text, steps) and self.holds(text, resource):
            return content
        after = self.put(text, resource)
        if not (self.has(after, steps) and self.holds(after, resource)):
            raise part.refused(
                f"{spoken(steps)} would not be found again as it was written", hint="edit it by hand, or declare the whole `file`"
            )
        return after.encode()

    @abstractmethod
    def has(self, text: str, steps: Key) -> bool:
        """Whether something stands there."""

    @abstractmethod
    def holds(self, text: str, resource: Resource) -> bool:
        """Whether what stands there is as wished."""

    @abstractmethod
    def put(self, text: str, resource: Resource) -> str:
        """The text with the value in it."""

    @abstractmethod
    def without(self, text: str, steps: Key) -> str:
        """The text without the value."""


def decoded(content: bytes) -> str:
    """The file's text; refused where it is none."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise part.refused("it is not UTF-8") from None


def line_of(text: str, at: int) -> int:
    """The number of the line that this place is on."""
    return text.count("\n", 0, at) + 1
