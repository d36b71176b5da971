"""The JSON Schema of a declaration, for editors: made from the very models and kinds that check it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from vitrify.core.digest import JSON, JSONObject
from vitrify.core.resource import Kind, Kinds
from vitrify.core.schema import Field, Type
from vitrify.project import envelope
from vitrify.project.compile import COMMON
from vitrify.project.part import Part
from vitrify.project.shapes import EXACTLY_ONE, FILLED, Key, Shape, host_like, keys, parts

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,62}$"
_REFERENCE: JSONObject = {"$ref": "#/$defs/reference"}
_PROCESSORS = r"^[0-9]{1,4}(\.[0-9]{1,3})?$"
_WRITTEN = {
    "duration": r"^[0-9]{1,9}(ms|s|m|h)$",
    "interval": r"^([0-9]{1,9}(ms|s|m|h)|never)$",
    "memory": r"^[0-9]{1,9}(MB|GB|MiB|GiB)$",
}


def schema(kinds: Kinds) -> JSONObject:
    """The document. What it refuses is wrong; what it accepts may still be, where only the whole tells."""
    definitions: JSONObject = {_called(part): _part(part) for part in parts() if part is not envelope.Top}
    definitions |= {
        "reference": {"type": "string", "pattern": r"\$\{[^}]*\}", "description": "a variable or a parameter: ${var.NAME}, ${param.NAME}"},
        "variables": {"type": "object", "description": "name -> value, as `${var.NAME}` gives it"},
        "resource": _resource(kinds),
        "use": _use(),
    }
    definitions |= {f"kind-{name}": _kind(kinds[name]) for name in kinds.names()}
    return {"$schema": DIALECT, "title": "vitrify.yaml", **_part(envelope.Top), "$defs": definitions}


def _called(part: type[Part]) -> str:
    return part.__name__.removesuffix("Part").lower()


def _part(part: type[Part]) -> JSONObject:
    found = list(keys(part))
    properties: JSONObject = {key.name: _property(key, literal=part not in FILLED) for key in found}
    needed: list[JSON] = [key.name for key in found if key.required]
    made: JSONObject = {"type": "object", "description": _first_line(part.__doc__), "properties": properties, "additionalProperties": False}
    if needed:
        made["required"] = needed
    if part in EXACTLY_ONE:
        made["oneOf"] = [{"required": [name]} for name in EXACTLY_ONE[part]]
    return made


def _property(key: Key, *, literal: bool) -> JSONObject:
    found: JSONObject = {"const": 1} if key.name == "version" else _value(key.shape, literal=literal)
    return {**found, "description": key.doc} if key.doc else found


def _value(shape: Shape, *, literal: bool) -> JSONObject:
    plain = _plain(shape, literal=literal)
    free = shape.form in ("text", "variables", "resources", "section", "anything") and not shape.choices and not shape.pattern
    return plain if literal or free else {"anyOf": [plain, _REFERENCE]}


def _plain(shape: Shape, *, literal: bool) -> JSONObject:  # noqa: PLR0911  one case for each type of value
    if shape.form == "section" and shape.part:
        named: JSONObject = {"$ref": f"#/$defs/{_called(shape.part)}"}
        section: JSONObject = {"type": "object", "propertyNames": {"pattern": _NAME}, "additionalProperties": named}
        section |= {"minProperties": 1} if shape.part is envelope.ServerPart else {}
        return section
    if shape.form == "part" and shape.part:
        named = {"$ref": f"#/$defs/{_called(shape.part)}"}
        return {"anyOf": [{"type": "string"}, named]} if host_like(shape) else named
    if shape.form == "list" and shape.items:
        return {"type": "array", "items": _value(shape.items, literal=literal), **({"minItems": 1} if shape.filled else {})}
    if shape.form == "map" and shape.items:
        return {"type": "object", "additionalProperties": _value(shape.items, literal=literal)}
    if shape.form == "variables":
        return {"$ref": "#/$defs/variables"}
    if shape.form == "resources":
        return {"type": "array", "items": {"$ref": "#/$defs/resource"}}
    if shape.form == "anything":
        return {}
    return _scalar(shape)


def _scalar(shape: Shape) -> JSONObject:
    if shape.form in _WRITTEN:
        return {"type": "string", "pattern": _WRITTEN[shape.form]}
    if shape.form == "processors":
        return {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": _PROCESSORS}]}
    if shape.form == "share":
        return {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+%$"}]}
    if shape.choices:
        return {"enum": [*shape.choices]}
    made: JSONObject = {"type": {"text": "string"}.get(shape.form, shape.form)}
    made |= {"pattern": shape.pattern} if shape.pattern else {}
    made |= {"minLength": 1} if shape.filled else {}
    made |= {"minimum": shape.least} if shape.least is not None else {}
    return made | ({"maximum": shape.most} if shape.most is not None else {})


def _resource(kinds: Kinds) -> JSONObject:
    properties: JSONObject = {name: _forms(kinds[name]) for name in kinds.names()}
    one = {"minProperties": 1, "maxProperties": 1, "additionalProperties": False}
    return {"type": "object", "properties": {**properties, "use": {"$ref": "#/$defs/use"}}, **one}


def _forms(kind: Kind) -> JSONObject:
    whole: JSONObject = {"$ref": f"#/$defs/kind-{kind.name}"}
    short: JSONObject = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
    return {"anyOf": [whole, short if kind.short else _REFERENCE], "description": _first_line(type(kind).__doc__)}


def _kind(kind: Kind) -> JSONObject:
    declared = {name: field for name, field in kind.schema.fields.items() if not field.resolved}
    properties: JSONObject = {name: _field(field) for name, field in declared.items()}
    properties |= {name: _field(field, alone=field.type is Type.TEXTS) for name, field in COMMON.items()}
    needed: list[JSON] = [name for name, field in declared.items() if field.required]
    made: JSONObject = {"type": "object", "properties": properties, "additionalProperties": False}
    made |= {"required": needed} if needed else {}
    rules: list[JSON] = [*_exclusive(kind), *_needed(kind, set(declared))]
    return made | ({"allOf": rules} if rules else {})


def _exclusive(kind: Kind) -> Iterator[JSONObject]:
    for group in kind.schema.one_of:
        for pair in combinations(group, 2):
            yield {"not": {"required": [*pair]}}


def _needed(kind: Kind, declared: set[str]) -> Iterator[JSONObject]:
    for group in kind.schema.needs_one_of:
        ways = [*(name for name in group if name in declared), "absent"]
        yield {"anyOf": [{"required": [name]} for name in ways]}


_FIELDS: dict[Type, JSONObject] = {
    Type.TEXT: {"type": "string"},
    Type.PATH: {"type": "string", "pattern": r"^/|\$\{"},
    Type.MODE: {"type": "string", "pattern": r"^[0-7]{3,4}$|\$\{"},
    Type.NAME: {"type": "string"},
    Type.INTEGER: {"anyOf": [{"type": "integer"}, _REFERENCE]},
    Type.BOOLEAN: {"anyOf": [{"type": "boolean"}, _REFERENCE]},
    Type.TEXTS: {"anyOf": [{"type": "array", "items": {"type": "string"}, "minItems": 1}, _REFERENCE]},
    Type.MAP: {"anyOf": [{"type": "object", "additionalProperties": {"type": "string"}}, _REFERENCE]},
    Type.ANY: {},
}


def _field(field: Field, *, alone: bool = False) -> JSONObject:
    """A field; with `alone` a single text stands for a list of one."""
    found = _FIELDS.get(field.type, {})
    if field.choices:
        found = {"anyOf": [{"enum": [*field.choices]}, _REFERENCE]}
    if alone:
        found = {"anyOf": [{"type": "string"}, found]}
    return {**found, "description": field.doc}


def _use() -> JSONObject:
    keys: JSONObject = {"profile": {"type": "string"}, "with": {"anyOf": [{"type": "object"}, _REFERENCE]}}
    whole: JSONObject = {"type": "object", "properties": keys, "required": ["profile"], "additionalProperties": False}
    return {"anyOf": [{"type": "string"}, whole], "description": "the resources of a profile"}


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
