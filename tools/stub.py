"""Writes the types of the Python front end, `vitrify/declare.pyi`, from the kinds and the models of the envelope."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping

from vitrify.core.resource import Kind, Kinds
from vitrify.core.schema import Field, Type
from vitrify.project import envelope
from vitrify.project.compile import COMMON
from vitrify.project.part import Part
from vitrify.project.shapes import Key, Shape, host_like, keys, parts

HEAD = '''"""What a `vitrify.py` is written with. Written by `./run fix` from the kinds and the models: change those instead."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal, TypeAlias, TypedDict

_Path: TypeAlias = str | PathLike[str]
_Texts: TypeAlias = list[str] | tuple[str, ...]

class Project: ...
class Server: ...
class Profile: ...
class Resource: ...

def var(name: str) -> Any:
    """The variable of this name, wherever it is declared: `${var.NAME}`."""

def param(name: str) -> Any:
    """A parameter, in the resources of a profile: `${param.NAME}`."""

def secret(name: str) -> str:
    """The secret of this name: `secret:NAME`."""

def use(profile: str, *, with_: Mapping[str, object] = ...) -> Resource:
    """The resources of a profile."""
'''
_FIELDS: Mapping[Type, str] = {
    Type.PATH: "_Path",
    Type.INTEGER: "int",
    Type.BOOLEAN: "bool",
    Type.TEXTS: "_Texts",
    Type.MAP: "Mapping[str, str]",
    Type.ANY: "object",
}
"""Types of fields; what is not here is a text."""

_MEASURES: Mapping[str, str] = {"duration": "str", "interval": "str", "memory": "str", "processors": "int | str"}
_SCALARS: Mapping[str, str] = {
    "text": "str",
    "integer": "int",
    "boolean": "bool",
    "share": "int | str",
    **_MEASURES,
}
_FUNCTIONS: Mapping[type[Part], str] = {envelope.ServerPart: "Server", envelope.ProfilePart: "Profile"}
"""Parts that a function of the front end makes; the others are maps."""


def stub(kinds: Kinds) -> str:
    """The whole file."""
    maps = [part for part in parts() if part is not envelope.Top and part not in _FUNCTIONS]
    blocks = [HEAD, *(_map(part) for part in maps), *_functions(), *(_kind(kinds[name]) for name in kinds.names())]
    return "\n".join(blocks)


def _functions() -> Iterator[str]:
    whole = [key for key in keys(envelope.Top) if key.name not in ("version", "project")]
    yield _function("project", ["name: str", "*", *_arguments(whole)], "Project", envelope.Top.__doc__)
    for part, made in _FUNCTIONS.items():
        yield _function(made.lower(), ["*", *_arguments(keys(part))], made, part.__doc__)


def _arguments(found: Iterator[Key] | list[Key]) -> list[str]:
    return [f"{key.name}: {_type(key.shape)}{'' if key.required else ' = ...'}" for key in found]


def _function(name: str, arguments: list[str], made: str, doc: str | None) -> str:
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return f'def {name}(\n{lines}) -> {made}:\n    """{inspect.cleandoc(doc or "")}"""\n'.replace('\n"""', '\n    """')


def _map(part: type[Part]) -> str:
    found = list(keys(part))
    needed = "".join(f"    {key.name}: {_type(key.shape)}\n" for key in found if key.required)
    rest = "".join(f"    {key.name}: {_type(key.shape)}\n" for key in found if not key.required)
    name, doc = _called(part), f'    """{part.__doc__}"""\n'
    if not needed:
        return f"class {name}(TypedDict, total=False):\n{doc}{rest}"
    if not rest:
        return f"class {name}(TypedDict):\n{doc}{needed}"
    return f"class {name}Needed(TypedDict):\n{doc}{needed}\nclass {name}({name}Needed, total=False):\n{doc}{rest}"


def _called(part: type[Part]) -> str:
    return _FUNCTIONS.get(part) or f"_{part.__name__.removesuffix('Part')}"


def _type(shape: Shape) -> str:  # noqa: PLR0911  one case for each form of value
    if shape.choices:
        return f"Literal[{', '.join(repr(choice) for choice in shape.choices)}]"
    if shape.form == "section" and shape.part:
        return f"Mapping[str, {_called(shape.part)}]"
    if shape.form == "variables":
        return "Mapping[str, object]"
    if shape.form == "resources":
        return "Sequence[Resource]"
    if shape.form == "list" and shape.items:
        return f"Sequence[{_type(shape.items)}]"
    if shape.form == "map" and shape.items:
        return f"Mapping[str, {_type(shape.items)}]"
    if shape.form == "part" and shape.part:
        return f"str | {_called(shape.part)}" if host_like(shape) else _called(shape.part)
    return _SCALARS.get(shape.form, "object")


def _kind(kind: Kind) -> str:
    declared = {name: field for name, field in kind.schema.fields.items() if not field.resolved}
    first = [f"{kind.short}: {_short(declared[kind.short])}"] if kind.short else []
    rest = sorted((not field.required, name) for name, field in declared.items() if name != kind.short)
    fields = [f"{_word(name)}: {_field(declared[name])}{' = ...' if optional else ''}" for optional, name in rest]
    common = [f"{name}: {_field(field, alone=True)} = ..." for name, field in COMMON.items()]
    lines = "".join(f"    {argument},\n" for argument in [*first, "*", *fields, *common])
    return f'def {kind.name}(\n{lines}) -> Resource:\n    """{_told(kind, declared)}\n    """\n'


def _told(kind: Kind, declared: Mapping[str, Field]) -> str:
    """The docstring: what the kind is, and what each field means."""
    fields = [f"{_word(name)}: {field.doc}" for name, field in {**declared, **COMMON}.items()]
    text = "\n".join([inspect.cleandoc(type(kind).__doc__ or ""), "", *fields]).replace("\\", "\\\\").replace('"""', "'''")
    return "\n".join(f"    {line}" if line else "" for line in text.split("\n")).lstrip()


def _word(name: str) -> str:
    """A name that Python takes: its own words get a `_`."""
    import keyword

    return f"{name}_" if keyword.iskeyword(name) else name


def _short(field: Field) -> str:
    """The first argument may also be a list: a resource for each item."""
    return f"{_field(field)} | Sequence[{_field(field)}]"


def _field(field: Field, *, alone: bool = False) -> str:
    if field.choices:
        return f"Literal[{', '.join(repr(choice) for choice in field.choices)}]"
    found = _FIELDS.get(field.type, "str")
    return f"str | {found}" if alone and field.type is Type.TEXTS else found
