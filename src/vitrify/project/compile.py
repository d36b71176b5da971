"""Turns one wish as written into a resource: fields validated, contents named by digest, secrets resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from vitrify.core import schema
from vitrify.core.diagnostic import Location, VitrifyError
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, OnLeave, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.project.expand import Wish
from vitrify.project.node import Node, plain, scalars, walk
from vitrify.project.problems import Problems
from vitrify.project.resolve import Made, Resolving, Workshop
from vitrify.project.secrets import reference

COMMON: Mapping[str, Field] = {
    "after": Field(Type.TEXTS, "addresses of resources that must be done before"),
    "when": Field(Type.BOOLEAN, "whether the resource counts at all"),
    "absent": Field(Type.BOOLEAN, "whether the thing shall be gone"),
    "on_leave": Field(Type.TEXT, "what becomes of it once it left the declaration", choices=tuple(way.value for way in OnLeave)),
    "protect": Field(Type.BOOLEAN, "whether it is never removed"),
    "tags": Field(Type.TEXTS, "words to pick resources by"),
    "override": Field(Type.BOOLEAN, "whether it takes the place of an earlier resource with the same address"),
}
"""What every resource takes, whatever its kind."""

_WRITTEN_OUT = frozenset({Type.TEXT, Type.PATH, Type.NAME, Type.TEXTS, Type.MAP})
"""Fields in which a number that a variable filled in is meant as text."""


@dataclass(frozen=True)
class Compiled:
    """One wish, compiled. `resource` is None where `when` is false; `secrets` are those of process environments."""

    address: Address
    resource: Resource | None
    wish: Wish
    override: bool = False
    after: tuple[tuple[Address, Location], ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def compile_wish(wish: Wish, workshop: Workshop, *, image: bool) -> Compiled | None:
    """The resource, or None where something is wrong with it, each thing noted where it stands."""
    kind = workshop.kinds[wish.kind]
    common, fields = _split(wish.fields)
    values = {name: _value(kind.schema, name, entry.node) for name, entry in fields.entries.items()}
    settings = {name: _setting(name, node) for name, node in common.items()}
    wrong = [*_common_problems(settings), *kind.schema.problems(values, absent=settings.get("absent") is True)]
    places = [_place(problem, kind.schema, wish, values) for problem in wrong]
    for problem, at in zip(wrong, places, strict=True):
        if not problem.path or not workshop.problems.told(at):
            workshop.problems.add(problem.summary, at, hint=problem.hint)
    misplaced = _misplaced_secrets(kind.schema, fields, workshop.problems)
    after = _after(common.get("after"), settings, workshop.problems) if not wrong else None
    if wrong or misplaced or after is None:
        return None
    address = Address(kind.name, kind.identity(values))
    if settings.get("when") is False:
        return Compiled(address, None, wish)
    made = Resolving(kind.schema, wish.fields, workshop, image=image).made(values, absent=settings.get("absent") is True)
    if made is None:
        return None
    resource = _resource(address, made, settings, wish.at)
    return Compiled(address, resource, wish, settings.get("override") is True, after, made.secrets)


def _split(node: Node) -> tuple[Mapping[str, Node], Node]:
    common = {name: entry.node for name, entry in node.entries.items() if name in COMMON}
    return common, Node({name: entry for name, entry in node.entries.items() if name not in COMMON}, node.at)


def _value(known: Schema, name: str, node: Node) -> JSON:
    wanted = known.fields.get(name)
    return plain(node, texts=wanted is not None and wanted.type in _WRITTEN_OUT)


def _setting(name: str, node: Node) -> JSON:
    value = plain(node)
    return [value] if isinstance(value, str) and COMMON[name].type is Type.TEXTS else value


def _common_problems(settings: Mapping[str, JSON]) -> Iterator[Problem]:
    for name, value in settings.items():
        yield from schema.check(COMMON[name], value, path=(name,))


def _place(problem: Problem, known: Schema, wish: Wish, values: Mapping[str, JSON]) -> Location:
    """Where a problem stands: at the value, or at the key where the value by itself is fine."""
    if not problem.path or problem.path[0] not in wish.fields.entries:
        return wish.at
    name = problem.path[0]
    wanted = COMMON.get(name) or known.fields.get(name)
    entry = wish.fields.entries[name]
    about_key = wanted is None or (name in values and not schema.check(wanted, values[name], path=(name,)))
    if len(problem.path) == 1 and about_key:
        return entry.at
    return walk(entry.node, problem.path[1:])


def _misplaced_secrets(known: Schema, fields: Node, problems: Problems) -> bool:
    may = [name for name, wanted in known.fields.items() if wanted.secret]
    hint = f"fields of this kind that may hold one: {', '.join(may)}" if may else "this kind cannot hold a secret"
    found = False
    for name, entry in fields.entries.items():
        wrong = [] if name in may else [scalar for scalar in scalars(entry.node) if reference(scalar.value)]
        for scalar in wrong:
            problems.add(f"a secret cannot stand in `{name}`", scalar.at, hint=hint)
        found = found or bool(wrong)
    return found


def _after(node: Node | None, settings: Mapping[str, JSON], problems: Problems) -> tuple[tuple[Address, Location], ...] | None:
    """The addresses with their places; None where one is not an address."""
    names = settings.get("after")
    if node is None or not isinstance(names, list):
        return ()
    places = [item.at for item in node.items] or [node.at]
    found: list[tuple[Address, Location]] = []
    for name, at in zip(names, places, strict=True):
        try:
            found.append((Address.parse(str(name)), at))
        except VitrifyError as error:
            problems.add(error.diagnostics[0].summary, at, hint=error.diagnostics[0].hint)
    return tuple(found) if len(found) == len(names) else None


def _resource(address: Address, made: Made, settings: Mapping[str, JSON], at: Location) -> Resource:
    tags = settings.get("tags", [])
    return Resource(
        address=address,
        fields=made.fields,
        absent=settings.get("absent") is True,
        on_leave=OnLeave(settings.get("on_leave", OnLeave.REMOVE.value)),
        protect=settings.get("protect") is True,
        tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
        secret=made.secret,
        where=at,
    )
