"""Changes values in a YAML file where they stand: comments, order and everything else stay as somebody wrote them.

What was changed is read again and compared with what was meant: a way of writing that is not understood is refused, and never guessed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from vitrify.core.diagnostic import Location, UsageInvalid
from vitrify.core.yamltext import spelled

Wished = Mapping[str, str | bool]
"""Field -> value."""
_HINT = "change the declaration by hand, or put back what was declared: `vitrify apply`"


def amended(text: str, at: Location, wished: Wished) -> str:
    """The file in which the resource whose kind stands at this place says this; UsageInvalid where that cannot be written there."""
    place = _find(_root(text, at), at)
    fields = place.node
    if isinstance(fields, yaml.ScalarNode):
        return _checked(text, _spelt_out(text, place, wished), place, wished)
    if not isinstance(fields, yaml.MappingNode):
        _refuse(at, "several resources are written in one")
    changed = text
    for name, value in reversed([*wished.items()]):
        changed = _with(changed, _find(_root(changed, at), at).node, name, value, at)
    return _checked(text, changed, place, wished)


def appended(text: str, server: Location, kind: str, wished: Wished) -> str:
    """The file in which the server whose name stands at this place has one more resource, behind all others."""
    place = _find(_root(text, server), server)
    found = _value(place.node, "resources")
    if not isinstance(found, yaml.SequenceNode) or found.flow_style or not found.value:
        _refuse(server, "its `resources` are not a list of lines")
    column, end = found.start_mark.column, _end_of(text, found.value[-1])
    margin = " " * column
    lines = [f"{margin}- {kind}:", *(line for name, value in wished.items() for line in _pair(name, value, column + 6))]
    before = text[:end] if text[:end].endswith("\n") else f"{text[:end]}\n"
    changed = before + "\n".join(lines) + "\n" + text[end:].removeprefix("\n")
    now = _at(yaml.safe_load(changed), place.path)
    then = _at(yaml.safe_load(text), place.path)
    if now["resources"] != [*then["resources"], {kind: dict(wished)}] or not _rest_is(text, changed, (*place.path, "resources")):
        _refuse(server, "its `resources` are written in a way that is not understood")
    return changed


@dataclass(frozen=True)
class _Place:
    """The value of a key, and the way to it."""

    node: yaml.Node
    path: tuple[str | int, ...]


def _root(text: str, at: Location) -> yaml.Node:
    if not at.file.endswith((".yaml", ".yml")):
        _refuse(at, "it is not declared in YAML")
    found = yaml.compose(text, Loader=yaml.SafeLoader)
    return found if found is not None else _refuse(at, "the file is empty")


def _find(root: yaml.Node, at: Location) -> _Place:
    """What belongs to the key, or is the item of a list, that stands at this place."""
    todo: list[_Place] = [_Place(root, ())]
    while todo:
        here = todo.pop()
        if isinstance(here.node, yaml.SequenceNode):
            todo += [_Place(item, (*here.path, index)) for index, item in enumerate(here.node.value)]
        for key, value in here.node.value if isinstance(here.node, yaml.MappingNode) else ():
            inner = _Place(value, (*here.path, str(key.value)))
            if (key.start_mark.line + 1, key.start_mark.column + 1) == (at.line, at.column):
                return inner
            todo.append(inner)
    return _refuse(at, "it does not stand there by itself: it is one of a list, or comes from an anchor")


def _with(text: str, fields: yaml.Node, name: str, value: str | bool, at: Location) -> str:  # noqa: FBT001  a value of the file
    assert isinstance(fields, yaml.MappingNode)  # noqa: S101  asked before
    old = _value(fields, name)
    if name == "content" and _value(fields, "template") is not None:
        _refuse(at, "its content is rendered from a template")
    if old is None:
        return _added(text, fields, name, value)
    if not isinstance(old, yaml.ScalarNode) or old.start_mark.index < fields.start_mark.index:
        _refuse(at, f"`{name}` is written elsewhere")
    written = text[old.start_mark.index : old.end_mark.index]
    if "${" in written.replace("$${", "") or written.startswith("secret:"):
        _refuse(at, f"`{name}` is made of variables: {written.strip()}")
    flow = bool(fields.flow_style)
    column = fields.start_mark.column if not flow else 0
    new = _spoken(value) if flow or not _several(value) else _block(str(value), column + 2)
    tail = written[len(written.rstrip("\n")) :] if old.style in ("|", ">") else ""
    return text[: old.start_mark.index] + new + tail + text[old.end_mark.index :]


def _added(text: str, fields: yaml.MappingNode, name: str, value: str | bool) -> str:  # noqa: FBT001  a value of the file
    if fields.flow_style:
        closing = fields.end_mark.index - 1
        before = text[:closing].rstrip()
        return f"{before}{'' if before.endswith(('{', ',')) else ','} {name}: {_spoken(value)}{text[len(before) : closing]}{text[closing:]}"
    column = fields.start_mark.column
    lines = "\n".join(_pair(name, value, column))
    end = _end_of(text, fields.value[-1][1])
    before = text[:end].removesuffix("\n")
    return f"{before}\n{lines}\n{text[end:].removeprefix(chr(10))}"


def _spelt_out(text: str, place: _Place, wished: Wished) -> str:
    """A short form with more than its one field: the map that it stands for."""
    short, node = "path", place.node
    written = text[node.start_mark.index : node.end_mark.index]
    more = "".join(f", {name}: {_spoken(value)}" for name, value in wished.items())
    return f"{text[: node.start_mark.index]}{{{short}: {written}{more}}}{text[node.end_mark.index :]}"


def _end_of(text: str, node: yaml.Node) -> int:
    """Behind the line on which a value ends: what a comment says of it stands there as well."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    end = node.end_mark.index
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return len(text[:end].rstrip("\n")) + 1
    line = text.find("\n", end)
    return len(text) if line < 0 else line + 1


def _pair(name: str, value: str | bool, column: int) -> list[str]:  # noqa: FBT001  a value of the file
    margin = " " * column
    spoken = _block(str(value), column + 2).split("\n") if _several(value) else [_spoken(value)]
    return [f"{margin}{name}: {spoken[0]}", *spoken[1:]]


def _several(value: str | bool) -> bool:  # noqa: FBT001  a value of the file
    """Whether it is a text of lines that a block scalar can hold."""
    lines = value.split("\n") if isinstance(value, str) else []
    whole = len(lines) > 2 and lines[-1] == "" and lines[-2] != ""
    return whole and not lines[0].startswith(" ") and all(line.isprintable() or "\t" in line for line in lines)


def _block(value: str, column: int) -> str:
    return "|\n" + "\n".join(f"{' ' * column}{line}" if line else "" for line in value.removesuffix("\n").split("\n"))


def _spoken(value: str | bool) -> str:  # noqa: FBT001  a value of the file
    return str(value).lower() if isinstance(value, bool) else json.dumps(value, ensure_ascii=False) if value.isdigit() else spelled(value)


def _value(node: yaml.Node, name: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for key, value in pairs if key.value == name), None)


def _checked(before: str, after: str, place: _Place, wished: Wished) -> str:
    at = _at(yaml.safe_load(after), place.path)
    said = all(at.get(name) == value for name, value in wished.items()) if isinstance(at, dict) else False
    if not said or not _rest_is(before, after, place.path):
        raise UsageInvalid("this cannot be written into the declaration", why="it is written in a way that is not understood", hint=_HINT)
    return after


def _rest_is(before: str, after: str, path: tuple[str | int, ...]) -> bool:
    """Whether nothing else became something else, comments included."""
    old, new = yaml.safe_load(before), yaml.safe_load(after)
    for found in (old, new):
        _at(found, path[:-1])[path[-1]] = None
    return bool(old == new) and [*_comments(before)] == [*_comments(after)]


def _comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("#")]


def _at(data: Any, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401  what stands in a file can be anything
    for step in path:
        data = data[step]
    return data


def _refuse(at: Location, why: str) -> NoReturn:
    raise UsageInvalid("this cannot be written into the declaration", why=f"{at}: {why}", hint=_HINT)
