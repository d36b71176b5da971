"""What each key of the envelope holds, read from its models: for the JSON Schema and for the types of the Python front end."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Union, get_args, get_origin

from vitrify.core.batch import Share
from vitrify.core.strategy import Weight
from vitrify.project import envelope, healing, hooks, notices, serving, supervision, watching
from vitrify.project.envelope import HostPart
from vitrify.project.manner import Part100
from vitrify.project.part import Part
from vitrify.project.values import Memory, OneOf, Processors

SECTIONS: Mapping[str, type[Part]] = {
    "environments": envelope.EnvironmentPart,
    "groups": envelope.GroupPart,
    "profiles": envelope.ProfilePart,
    "routers": serving.RouterPart,
    "servers": envelope.ServerPart,
    "secrets": envelope.SecretPart,
    "parameters": envelope.ParameterPart,
}
"""Maps from names to parts."""

EXACTLY_ONE: Mapping[type[Part], tuple[str, ...]] = {
    envelope.SecretPart: tuple(envelope.SecretPart.model_fields),
    serving.HealthPart: ("http", "tcp", "command"),
    envelope.AgePart: ("identity", "passphrase"),
    serving.StickyPart: ("cookie", "header"),
}
"""Keys of which one is given, and no second."""

FILLED = frozenset(
    {
        envelope.ServerPart,
        envelope.HostPart,
        serving.HealthPart,
        serving.RoutePart,
        serving.StickyPart,
        serving.RolloutPart,
        serving.GatePart,
        envelope.LimitsPart,
        serving.RouterPart,
        envelope.GroupPart,
        envelope.SshPart,
        hooks.HookPart,
        hooks.MigrationPart,
        notices.NoticePart,
        supervision.SchedulePart,
        healing.HealPart,
        watching.AuditPart,
    }
)
"""Parts into which variables are filled."""


@dataclass(frozen=True)
class Shape:
    """What one key holds.

    `form` is text, integer, boolean, duration, interval, share, memory, processors, list, map (of names to `items`), part, section,
    variables, resources or anything.
    """

    form: str
    choices: tuple[str, ...] = ()
    pattern: str = ""
    least: int | None = None
    most: int | None = None
    filled: bool = False
    """Whether it may not be empty."""
    items: Shape | None = None
    part: type[Part] | None = None


@dataclass(frozen=True)
class Key:
    """One key of a part."""

    name: str
    shape: Shape
    required: bool
    doc: str


def keys(part: type[Part]) -> Iterator[Key]:
    """Every key of a part, in the order in which it is declared."""
    for name, field in part.model_fields.items():
        yield Key(name, _named(name) or _shape(field.annotation, field.metadata), field.is_required(), field.description or "")


def parts() -> Iterator[type[Part]]:
    """Every part there is."""
    return iter(Part.__subclasses__())


_LISTS: Mapping[str, Shape] = {
    "hooks": Shape("list", items=Shape("part", part=hooks.HookPart)),
    "notices": Shape("list", items=Shape("part", part=notices.NoticePart)),
}


def _named(name: str) -> Shape | None:
    """The shape of a key whose value is read elsewhere."""
    if name in SECTIONS:
        return Shape("section", part=SECTIONS[name])
    shapes = {"vars": Shape("variables"), "resources": Shape("resources"), "ssh": Shape("part", part=envelope.SshPart)}
    return {
        **shapes,
        **_LISTS,
        "schedule": Shape("part", part=supervision.SchedulePart),
    }.get(name)


def _shape(annotation: Any, metadata: Iterable[Any]) -> Shape:  # noqa: ANN401  a type is any object to Python
    metadata = [*metadata]
    while get_origin(annotation) in (Annotated, Union, types.UnionType):
        first, *rest = (one for one in get_args(annotation) if one is not type(None))
        metadata += rest if get_origin(annotation) is Annotated else []
        annotation = first
    if get_origin(annotation) is list:
        return Shape("list", items=_shape(get_args(annotation)[0], ()), filled=_limit(metadata, "min_length") is not None)
    if get_origin(annotation) is dict:
        return Shape("map", items=_shape(get_args(annotation)[1], ()))
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return Shape("part", part=annotation)
    choices = next((one.choices for one in metadata if isinstance(one, OneOf)), ())
    least, most = _limit(metadata, "ge"), _limit(metadata, "le")
    return Shape(_TYPES.get(annotation, "anything"), choices, _pattern(metadata), least, most, _limit(metadata, "min_length") is not None)


_TYPES: Mapping[Any, str] = {
    str: "text",
    date: "text",
    int: "integer",
    bool: "boolean",
    float: "duration",
    Share: "share",
    Memory: "memory",
    Processors: "processors",
    Weight: "text",
    Part100: "text",
    supervision.Every: "interval",
}


def _limit(metadata: Iterable[Any], name: str) -> int | None:
    found = next((getattr(one, name) for one in metadata if getattr(one, name, None) is not None), None)
    return int(found) if found is not None else None


def _pattern(metadata: Iterable[Any]) -> str:
    return str(next((one.pattern for one in metadata if isinstance(getattr(one, "pattern", None), str)), ""))


def host_like(shape: Shape) -> bool:
    """Whether a part may also be a text: a host is mostly nothing but its name."""
    return shape.part is HostPart
