"""How one map of a declaration is read: its keys and values against a model, each thing that is wrong noted where it stands."""

from __future__ import annotations

from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from vitrify.core.diagnostic import Location
from vitrify.core.schema import near
from vitrify.project.node import Node, plain, spoken, walk
from vitrify.project.problems import Problems


class Part(BaseModel):
    """A map whose keys are all known."""

    model_config = ConfigDict(extra="forbid", defer_build=True, strict=True, frozen=True, hide_input_in_errors=True)


_RAW = frozenset(
    {
        "vars",
        "environments",
        "groups",
        "profiles",
        "routers",
        "servers",
        "secrets",
        "ssh",
        "parameters",
        "resources",
        "hooks",
        "notices",
    }
)
P = TypeVar("P", bound=Part)


def read(part: type[P], node: Node, *, owner: Location, problems: Problems) -> P | None:
    """The part, or None where something is wrong with it, each thing noted where it stands.

    `owner` is where the part's own key was written: the place of what is missing.
    """
    if not isinstance(node.value, dict):
        if not problems.told(node.at):
            problems.add(f"expected a map, not {spoken(node)}", node.at)
        return None
    try:
        return part.model_validate({key: _given_to(key, entry.node, raw=_is_raw(part, key)) for key, entry in node.entries.items()})
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False, include_input=False):
            _note(part, error, node, owner, problems)
    return None


def _is_raw(part: type[Part], key: str) -> bool:
    return key in _RAW and (key not in part.model_fields or part.model_fields[key].annotation is Any)


def _given_to(key: str, node: Node, *, raw: bool) -> Any:  # noqa: ANN401  a value as it was written, or the node where it is read elsewhere
    if raw:
        return node
    if key == "hosts":
        return [
            {name: _given_to(name, part.node, raw=name in _RAW) for name, part in item.entries.items()} or plain(item)
            for item in node.items
        ] or plain(node)
    return plain(node)


def _note(part: type[Part], error: ErrorDetails, node: Node, owner: Location, problems: Problems) -> None:
    loc = tuple(error["loc"])
    name = str(loc[-1]) if loc else ""
    model = _model_at(part, loc[:-1])
    if error["type"] == "missing":
        at = walk(node, loc[:-1], key=True, owner=owner)
        known = model.model_fields[name].description if model else ""
        problems.add(f"the key `{name}` is missing", at, hint=known or "")
        return
    if error["type"] == "extra_forbidden":
        keys = list(model.model_fields) if model else []
        at = walk(node, loc, key=True, owner=owner)
        problems.add(f"there is no key `{name}`", at, hint=near(name, keys) or f"keys here: {', '.join(keys)}")
        return
    at = walk(node, loc, owner=owner, key=error["type"] == "vitrify" and not loc)
    if not problems.told(at):
        summary, hint = _sentence(error, _value_at(node, loc))
        problems.add(summary, at, hint=hint or _map_of(error, _model_at(part, loc)))


def _model_at(part: type[Part], path: tuple[int | str, ...]) -> type[Part] | None:
    """The model of what stands at `path`: that of the field, or of what the field is a list or a map of."""
    found: type[Part] | None = part
    for step in path:
        field = found.model_fields.get(str(step)) if found else None
        if field is not None:
            found = _part_in(field.annotation)
        elif isinstance(step, str) and found is None:
            return None
    return found


def _part_in(annotation: object) -> type[Part] | None:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    return next(filter(None, map(_part_in, get_args(annotation))), None)


def _value_at(node: Node, path: tuple[int | str, ...]) -> Node:
    for step in path:
        entry = node.entries.get(str(step))
        if entry:
            node = entry.node
        elif isinstance(step, int) and step < len(node.items):
            node = node.items[step]
    return node


def _map_of(error: ErrorDetails, model: type[Part] | None) -> str:
    """What the map holds that should stand there: what it must have, else all that it may."""
    if model is None or _EXPECTED.get(error["type"]) != "a map":
        return ""
    needed = [field.description or f"`{name}`" for name, field in model.model_fields.items() if field.is_required()]
    return f"`{{…}}` with {'; '.join(needed)}" if needed else f"keys of it: {', '.join(model.model_fields)}"


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
}


def _sentence(error: ErrorDetails, value: Node) -> tuple[str, str]:
    """What is wrong with a value, and what to do: never pydantic's own words."""
    context = error.get("ctx", {})
    if error["type"] == "vitrify":
        return str(context["summary"]), str(context["hint"])
    if error["type"] in _EXPECTED:
        hint = "put it in quotes" if error["type"] == "string_type" and not isinstance(value.value, (dict, tuple)) else ""
        return f"expected {_EXPECTED[error['type']]}, not {spoken(value)}", hint
    if error["type"] == "greater_than_equal":
        return f"{value.value} is too small", f"at least {context['ge']}"
    if error["type"] == "less_than_equal":
        return f"{value.value} is too large", f"at most {context['le']}"
    if error["type"] in ("too_short", "string_too_short"):
        return "nothing is written here", "give at least one"
    return f"{value.value!r} is not a name", "letters, digits, `_` and `-`, beginning with a letter"
