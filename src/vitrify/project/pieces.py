"""What the calls of a `vitrify.py` stand for, and how they become the same nodes that YAML becomes.

A call remembers where it was written. Its arguments are found again in the syntax tree of the file, so that a problem is
told at the very argument, as it is told at the very key of a YAML file.
"""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

from vitrify.core.diagnostic import Location
from vitrify.project.node import Entry, Node
from vitrify.project.problems import Problems

DEEPEST = 100
"""Levels of nesting that are read; the same as in YAML."""

OFFERED = ("Profile", "Project", "Resource", "Server", "param", "profile", "project", "secret", "server", "use", "var")
"""What `vitrify.declare` has beside the kinds."""

Span: TypeAlias = tuple[int, int, int, int]
"""Line and column (in bytes) of a beginning and of an end."""


@dataclass(frozen=True)
class Place:
    """Where a call was written."""

    file: str
    span: Span

    @classmethod
    def of(cls, frame: FrameType | None) -> Place:
        """The call that this frame is carrying out."""
        if frame is None:
            return cls("vitrify.py", (1, 0, 1, 0))
        code, at = frame.f_code, frame.f_lasti // 2
        line, end_line, column, end_column = next(islice(code.co_positions(), at, None), (None, None, None, None))
        return cls(code.co_filename, (line or frame.f_lineno, column or 0, end_line or frame.f_lineno, end_column or 0))


@dataclass(frozen=True)
class Piece:
    """A map of a declaration: its keys and values, and where the call stands that made it."""

    entries: Mapping[str, object]
    place: Place
    first: str = ""
    """The key that the first argument, given without a name, is the value of."""


class Project(Piece):
    """A whole declaration."""


class Server(Piece):
    """One server."""


class Profile(Piece):
    """A named list of resources."""


@dataclass(frozen=True)
class Resource(Piece):
    """One resource, or the use of a profile. `short` says that its whole value is the value of `first`."""

    kind: str = ""
    short: bool = False


def project(name: str, **keys: object) -> Project:
    """The declaration: `project("shop", servers={…})`. The keys are those at the top of a `vitrify.yaml`."""
    return Project({"version": 1, "project": name, **_plain(keys)}, _here(), "project")


def server(**keys: object) -> Server:
    """One of the `servers`."""
    return Server(_plain(keys), _here())


def profile(**keys: object) -> Profile:
    """One of the `profiles`."""
    return Profile(_plain(keys), _here())


def use(profile: str, **keys: object) -> Resource:
    """The resources of a profile: `use("hardened", with_={"port": 2222})`."""
    return Resource({"profile": profile, **_plain(keys)}, _here(), "profile", "use")


def kind_function(kind: str, short: str) -> Callable[..., Resource]:
    """What makes resources of a kind; the first argument may be given without a name where the kind has a `short` field."""
    return partial(_resource, kind, short)


def _resource(kind: str, short: str, /, *first: object, **fields: object) -> Resource:
    if len(first) > (1 if short else 0):
        raise TypeError(f"{kind}() takes {f'`{short}`' if short else 'nothing'} without a name, and {len(first)} values were given so")
    named = {short: first[0]} if first else {}
    if named.keys() & fields.keys():
        raise TypeError(f"{kind}() got two values for `{short}`")
    return Resource({**named, **_plain(fields)}, _here(), short, kind, short=bool(first) and not fields)


def var(name: str) -> Any:  # noqa: ANN401  it stands for a value of any type
    """The variable of this name, wherever it is declared: `${var.NAME}`."""
    return f"${{var.{name}}}"


def param(name: str) -> Any:  # noqa: ANN401  it stands for a value of any type
    """A parameter, in the resources of a profile: `${param.NAME}`."""
    return f"${{param.{name}}}"


def secret(name: str) -> str:
    """The secret of this name: `secret:NAME`."""
    return f"secret:{name}"


def _here() -> Place:
    """The call of the caller's caller."""
    frame = inspect.currentframe()
    caller = frame.f_back if frame else None
    return Place.of(caller.f_back if caller else None)


def _plain(keys: Mapping[str, object]) -> dict[str, object]:
    """The keys as YAML has them: `from_` is how Python writes `from`."""
    return {key.removesuffix("_"): value for key, value in keys.items()}


@dataclass(frozen=True)
class Source:
    """One file of Python: its lines, and its calls by where they stand."""

    file: str
    lines: tuple[bytes, ...]
    calls: Mapping[Span, ast.Call]

    @classmethod
    def read(cls, file: str) -> Source:
        """The file, or nothing where it cannot be had: then every argument stands where its call does."""
        try:
            content = Path(file).read_bytes()
            tree = ast.parse(content)
        except (OSError, SyntaxError, ValueError):
            return cls(file, (), {})
        calls = {_span(node): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
        return cls(file, tuple(content.splitlines()), calls)

    def at(self, line: int, column: int) -> Location:
        """A place as a person counts: columns in characters."""
        before = self.lines[line - 1][:column] if 0 < line <= len(self.lines) else b" " * column
        return Location(self.file, line, len(before.decode("utf-8", "replace")) + 1)


def _span(node: ast.expr) -> Span:
    return (node.lineno, node.col_offset, node.end_lineno or node.lineno, node.end_col_offset or 0)


@dataclass(frozen=True)
class _Written:
    """A value beside the expression that gave it, where that is known, and the place to name in any case."""

    value: object
    expression: ast.expr | None
    source: Source
    near: Location

    @property
    def at(self) -> Location:
        """Where it stands."""
        return self.source.at(self.expression.lineno, self.expression.col_offset) if self.expression else self.near

    def inner(self, value: object, expression: ast.expr | None) -> _Written:
        """A part of it."""
        return _Written(value, expression, self.source, self.at)


@dataclass(frozen=True)
class Translation:
    """Makes nodes of pieces; reads each file once."""

    problems: Problems
    _sources: dict[str, Source] = field(default_factory=dict)

    def node(self, piece: Piece) -> Node:
        """The piece as a node, with everything in it."""
        return self._piece(piece, 0)

    def _source(self, file: str) -> Source:
        if file not in self._sources:
            self._sources[file] = Source.read(file)
        return self._sources[file]

    def _piece(self, piece: Piece, depth: int) -> Node:
        source = self._source(piece.place.file)
        at = source.at(*piece.place.span[:2])
        arguments = dict(_arguments(source.calls.get(piece.place.span), piece.first))
        entries: dict[str, Entry] = {}
        for key, value in piece.entries.items():
            where, expression = arguments.get(key, (None, None))
            written = _Written(value, expression, source, at)
            entries[key] = Entry(source.at(*where) if where else written.at, self._value(written, depth + 1))
        whole = Node(entries, at)
        if not isinstance(piece, Resource):
            return whole
        return Node({piece.kind: Entry(at, entries[piece.first].node if piece.short else whole)}, at)

    def _value(self, written: _Written, depth: int) -> Node:
        value, at = written.value, written.at
        if depth > DEEPEST:
            self.problems.add(f"this is nested more than {DEEPEST} levels deep", at)
            return Node(None, at)
        if isinstance(value, Piece):
            return self._piece(value, depth)
        if isinstance(value, Mapping):
            return Node(dict(self._entries(value, written, depth)), at)
        if isinstance(value, (list, tuple)):
            expressions = _elements(written.expression, len(value))
            items = zip(value, expressions, strict=True)
            return Node(tuple(self._value(written.inner(item, expression), depth + 1) for item, expression in items), at)
        return self._scalar(value, at)

    def _entries(self, value: Mapping[object, object], written: _Written, depth: int) -> Iterator[tuple[str, Entry]]:
        expressions = _pairs(written.expression)
        for key, item in value.items():
            where, expression = expressions.get(key, (None, None))
            inner = written.inner(item, expression)
            at = written.source.at(*where) if where else inner.at
            if not isinstance(key, str):
                self.problems.add("a key is text", at, hint=f'put it in quotes: "{key}"')
            yield str(key), Entry(at, self._value(inner, depth + 1))

    def _scalar(self, value: object, at: Location) -> Node:
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, str):
            if any("\ud800" <= sign <= "\udfff" for sign in value):
                self.problems.add("this cannot be written as UTF-8", at)
            return Node(str.__str__(value), at)
        if value is None or isinstance(value, bool):
            return Node(value, at)
        if isinstance(value, int):
            if len(str(int(value))) > 18:
                self.problems.add("this number is too large", at, hint="if it is a name, put it in quotes")
            return Node(int(value), at)
        if isinstance(value, float):
            self.problems.add(f"{value} is a number with a fraction", at, hint=f'put it in quotes: "{value}"')
        else:
            hint = "text, whole numbers, true and false, lists, maps, and what `vitrify.declare` makes"
            self.problems.add(f"a value of type `{type(value).__name__}` means nothing in a declaration", at, hint=hint)
        return Node(str(value), at)


Argument: TypeAlias = tuple[tuple[int, int], ast.expr]


def _arguments(call: ast.Call | None, first: str) -> Iterator[tuple[str, Argument]]:
    """Key -> where it is written, and the expression of its value."""
    if call is None:
        return
    if call.args and not isinstance(call.args[0], ast.Starred):
        yield first, ((call.args[0].lineno, call.args[0].col_offset), call.args[0])
    for keyword in call.keywords:
        if keyword.arg:
            yield keyword.arg.removesuffix("_"), ((keyword.lineno, keyword.col_offset), keyword.value)


def _pairs(expression: ast.expr | None) -> Mapping[object, Argument]:
    """The same for a map that is written out."""
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name) and expression.func.id == "dict":
        return dict(_arguments(expression, ""))
    if not isinstance(expression, ast.Dict):
        return {}
    pairs = zip(expression.keys, expression.values, strict=True)
    return {key.value: ((key.lineno, key.col_offset), value) for key, value in pairs if isinstance(key, ast.Constant)}


def _elements(expression: ast.expr | None, count: int) -> list[ast.expr | None]:
    """The expressions of the items of a list that is written out."""
    found = expression.elts if isinstance(expression, (ast.List, ast.Tuple)) else []
    whole = len(found) == count and not any(isinstance(item, ast.Starred) for item in found)
    return [*found] if whole else [None] * count
