"""TOML as text that can be edited: its statements, each with its key, its value and the place where both stand."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from vitrify.core import part
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.keyed import line_of

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_END = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|$)")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_TEXT = re.compile(r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*\'''', re.DOTALL)
_BARE = re.compile(r"[A-Za-z0-9+:._-]+(?: [0-9][0-9:.+Z-]*)?")
_INTEGER = re.compile(r"[+-]?(?:0|[1-9](?:_?[0-9])*)")
_FRACTION = re.compile(r"[+-]?(?:0|[1-9](?:_?[0-9])*)(?:\.[0-9](?:_?[0-9])*)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?")
_SIMPLE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPE = re.compile(r'\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[btnfr"\\]|[ \t]*\r?\n[ \t\r\n]*)')
_MEANT = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
DEEPEST = 100

Way = Tuple[str, ...]


@dataclass(frozen=True)
class Odd:
    """A value that JSON has no word for, as a date: equal to nothing but its spelling."""

    text: str


@dataclass(frozen=True)
class Statement:
    """A header (`[a.b]`, or `[[a.b]]` where `many`) or a key with its value. `way` is the whole way from the root.

    `start` to `end` is the statement with the rest of its last line; `value_start` to `value_end` the value.
    """

    way: Way
    start: int
    end: int
    header: bool = False
    many: bool = False
    table: Way = ()
    value: object = None
    value_start: int = 0
    value_end: int = 0


def parse(text: str) -> List[Statement]:
    """All statements in order; refused with its line where one is not understood."""
    reader = _Reader(text)
    found: List[Statement] = []
    table: Way = ()
    at = 0
    while True:
        start = reader.statement_at(at)
        if start >= len(text):
            return found
        if text[start] == "[":
            statement = reader.header(start)
            table = statement.way
        else:
            statement = reader.pair(start, table)
        found.append(statement)
        at = statement.end


class _Reader:
    """Reads one thing at a time."""

    def __init__(self, text: str) -> None:
        self._text = text

    def wrong(self, at: int, why: str) -> Exception:
        """What is said of text that is not understood."""
        return part.refused(f"line {line_of(self._text, at)}: {why}")

    def statement_at(self, at: int) -> int:
        """Where the next statement begins."""
        return _match(_BLANK, self._text, at)

    def header(self, at: int) -> Statement:
        """`[a.b]` or `[[a.b]]`."""
        many = self._text.startswith("[[", at)
        way, here = self._way(_match(_SPACE, self._text, at + 1 + many))
        closing = "]]" if many else "]"
        if not self._text.startswith(closing, here):
            raise self.wrong(at, "the header of a table is not understood")
        return Statement(way, at, self._line_end(here + len(closing)), header=True, many=many, table=way)

    def pair(self, at: int, table: Way) -> Statement:
        """`key = value`."""
        way, here = self._way(at)
        if not self._text.startswith("=", here):
            raise self.wrong(at, "a key and = were expected")
        start = _match(_SPACE, self._text, here + 1)
        value, end = self.value(start, depth=0)
        return Statement((*table, *way), at, self._line_end(end), table=table, value=value, value_start=start, value_end=end)

    def _way(self, at: int) -> Tuple[Way, int]:
        names: List[str] = []
        while True:
            found = _KEY.match(self._text, at)
            if not found:
                raise self.wrong(at, "a key was expected")
            names.append(self._meant(found.group(), at) if found.group()[0] in "\"'" else found.group())
            at = _match(_SPACE, self._text, found.end())
            if not self._text.startswith(".", at):
                return tuple(names), at
            at = _match(_SPACE, self._text, at + 1)

    def _line_end(self, at: int) -> int:
        found = _END.match(self._text, at)
        if not found:
            raise self.wrong(at, "something follows that is not understood")
        return found.end()

    def value(self, at: int, *, depth: int) -> Tuple[object, int]:
        """A value and where it ends."""
        if depth > DEEPEST:
            raise self.wrong(at, "it is nested too deeply")
        first = self._text[at : at + 1]
        if first == "[":
            return self._list(at, depth)
        if first == "{":
            return self._map(at, depth)
        found = _TEXT.match(self._text, at) if first in ('"', "'") else _BARE.match(self._text, at)
        if not found:
            raise self.wrong(at, "a value was expected")
        return (self._meant(found.group(), at) if first in ('"', "'") else _bare(found.group())), found.end()

    def _meant(self, text: str, at: int) -> str:
        sign = text[:3] if text[:3] in ('"""', "'''") else text[:1]
        inner = text[len(sign) : -len(sign)]
        if len(sign) == 3:
            inner = re.sub(r"\A\r?\n", "", inner)
        if sign[0] == "'":
            return inner
        if "\\" in _ESCAPE.sub("", inner):
            raise self.wrong(at, "this text holds a \\ that is not understood")
        return _ESCAPE.sub(_escaped, inner)

    def _list(self, at: int, depth: int) -> Tuple[object, int]:
        items: List[object] = []
        here = _match(_BLANK, self._text, at + 1)
        while not self._text.startswith("]", here):
            item, here = self.value(here, depth=depth + 1)
            items.append(item)
            here = self._more(here, "]")
        return items, here + 1

    def _map(self, at: int, depth: int) -> Tuple[object, int]:
        found: Dict[str, object] = {}
        here = _match(_BLANK, self._text, at + 1)
        while not self._text.startswith("}", here):
            way, here = self._way(here)
            if not self._text.startswith("=", here):
                raise self.wrong(here, "= was expected")
            inner, here = self.value(_match(_BLANK, self._text, here + 1), depth=depth + 1)
            _put(found, way, inner)
            here = self._more(here, "}")
        return found, here + 1

    def _more(self, at: int, closing: str) -> int:
        here = _match(_BLANK, self._text, at)
        if self._text.startswith(",", here):
            return _match(_BLANK, self._text, here + 1)
        if not self._text.startswith(closing, here):
            raise self.wrong(here, f"a comma or {closing} was expected")
        return here


def _match(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _put(into: Dict[str, object], way: Way, value: object) -> None:
    for name in way[:-1]:
        inner = into.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        into = inner
    into[way[-1]] = value


def _escaped(found: re.Match[str]) -> str:
    sign = found.group(1)
    if sign[0] in "uU":
        return chr(int(sign[1:], 16))
    return _MEANT.get(sign, "")


def _bare(text: str) -> object:
    known: Dict[str, JSON] = {"true": True, "false": False}
    if text in known:
        return known[text]
    if _INTEGER.fullmatch(text):
        return int(text.replace("_", ""))
    return float(text.replace("_", "")) if _FRACTION.fullmatch(text) else Odd(text)


def written(value: JSON) -> str:
    """A value on one line: a list in brackets, a map as an inline table."""
    if isinstance(value, dict):
        inner = ", ".join(f"{name_of(name)} = {written(one)}" for name, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(written(one) for one in value)}]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def name_of(name: str) -> str:
    """A key as it is written."""
    return name if _SIMPLE.fullmatch(name) else _text(name)


def only_value(text: str) -> Optional[object]:
    """The one value that a text is; None where it is none, or more."""
    try:
        value, end = _Reader(text).value(0, depth=0)
    except TargetFailed:
        return None
    return value if end == len(text) else None
