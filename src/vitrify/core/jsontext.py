"""JSON as text that can be edited: every value with the place where it stands. Comments are passed over and kept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Dict, List, Tuple

from vitrify.core import part
from vitrify.core.digest import JSON
from vitrify.core.keyed import line_of

_SPACE = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null')
DEEPEST = 200


@dataclass(frozen=True)
class Node:
    """One value. `members` are those of a map, `items` those of a list, in order; `start` to `end` is where it stands."""

    value: JSON
    start: int
    end: int
    members: Tuple[Tuple[str, int, Node], ...] = ()
    """Name, where the name begins, the value."""
    items: Tuple[Node, ...] = ()

    @property
    def type(self) -> str:
        """`map`, `list` or `scalar`."""
        return "map" if isinstance(self.value, dict) else "list" if isinstance(self.value, list) else "scalar"


def parse(text: str) -> Node:
    """The one value of a text; refused where it is no JSON, with the line."""
    reader = _Reader(text)
    node = reader.value(reader.skip(len(text) - len(text.lstrip("\ufeff"))), depth=0)
    if reader.skip(node.end) != len(text):
        raise reader.wrong(node.end, "something follows the value")
    return node


def skip(text: str, at: int) -> int:
    """The place behind spaces and comments."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


class _Reader:
    """Reads front to back."""

    def __init__(self, text: str) -> None:
        self._text = text

    def wrong(self, at: int, why: str) -> Exception:
        """What is said of text that is no JSON."""
        return part.refused(f"line {line_of(self._text, at)}: {why}")

    def skip(self, at: int) -> int:
        """The place behind spaces and comments."""
        return skip(self._text, at)

    def value(self, at: int, *, depth: int) -> Node:
        """The value that begins here."""
        if depth > DEEPEST:
            raise self.wrong(at, "it is nested too deeply")
        first = self._text[at : at + 1]
        if first == "{":
            return self._map(at, depth)
        if first == "[":
            return self._list(at, depth)
        return self._scalar(at)

    def _scalar(self, at: int) -> Node:
        found = _WORD.match(self._text, at)
        if not found:
            raise self.wrong(at, "a value was expected")
        try:
            return Node(json.loads(found.group()), at, found.end())
        except ValueError:
            raise self.wrong(at, "this is no JSON value") from None

    def _list(self, at: int, depth: int) -> Node:
        items: List[Node] = []
        here = self.skip(at + 1)
        while self._text[here : here + 1] != "]" or items:
            items.append(self.value(here, depth=depth + 1))
            here, more = self._next(items[-1].end, "]")
            if not more:
                break
        return Node([item.value for item in items], at, here + 1, items=tuple(items))

    def _map(self, at: int, depth: int) -> Node:
        members: List[Tuple[str, int, Node]] = []
        here = self.skip(at + 1)
        while self._text[here : here + 1] != "}" or members:
            name = self._scalar(here)
            colon = self.skip(name.end)
            if not isinstance(name.value, str) or self._text[colon : colon + 1] != ":":
                raise self.wrong(here, "a name and a colon were expected")
            members.append((name.value, here, self.value(self.skip(colon + 1), depth=depth + 1)))
            here, more = self._next(members[-1][2].end, "}")
            if not more:
                break
        value: Dict[str, JSON] = {name: node.value for name, _, node in members}
        if len(value) != len(members):
            raise self.wrong(at, "a name stands twice in this map")
        return Node(value, at, here + 1, members=tuple(members))

    def _next(self, at: int, closing: str) -> Tuple[int, bool]:
        """Where the next member begins, or the bracket that closes."""
        here = self.skip(at)
        sign = self._text[here : here + 1]
        if sign == closing:
            return here, False
        if sign != ",":
            raise self.wrong(here, f"a comma or {closing} was expected")
        return self.skip(here + 1), True


def written(value: JSON, *, indent: str, at: str) -> str:
    """A value as text: on lines of its own, each `indent` deeper than `at`; in one line where there is no indent."""
    if not indent:
        return json.dumps(value, ensure_ascii=False)
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return text.replace("\n", f"\n{at}")
