"""Kinds that others wrote and that are installed beside vitrify: found by entry point, read as source, never imported.

Looked for only where a declaration names a kind that is not ours, or where all kinds are listed: to ask every installed
package takes as long as the rest of a start.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.resource import Kind, Kinds
from vitrify.core.stranger import Stranger
from vitrify.resources.registry import CLASSES, all_kinds

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "vitrify.kinds"
"""The group of entry points: `NAME = module:Class`."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TAKEN = frozenset({*CLASSES, "use"})
_FLOOR = (3, 9)


def every_kind() -> Kinds:
    """All kinds: ours, and those that are installed beside."""
    return kinds_beside(Installed())


def kinds_beside(installed: Installed) -> Kinds:
    """Our kinds, and these."""
    return all_kinds().beside(installed)


class Installed:
    """The kinds of others that are installed."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}
        self._strangers: dict[str, Stranger] = {}

    @cached_property
    def _points(self) -> Mapping[str, EntryPoint]:
        from importlib.metadata import entry_points

        found: dict[str, EntryPoint] = {}
        for point in sorted(set(entry_points(group=GROUP)), key=lambda point: (point.name, point.value)):
            _refuse_name(point)
            if point.name in found:
                other, this = (_offered_by(one) for one in (found[point.name], point))
                why = f"{other} has {found[point.name].value}, {this} has {point.value}"
                raise UsageInvalid(f"two packages offer a kind `{point.name}`", why=why, hint="uninstall one of them")
            found[point.name] = point
        return found

    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._points)

    def kind(self, name: str) -> Kind:
        """One of them, made from the very bytes that a target is sent."""
        from vitrify.onhost.strangers import made

        if name not in self._kinds:
            self._kinds[name] = made(self.stranger(name))
        return self._kinds[name]

    def stranger(self, name: str) -> Stranger:
        """One of them, with its source; UsageInvalid where that could not run on a target."""
        if name not in self._strangers:
            point = self._points[name]
            source = _source(point)
            _refuse_what_cannot_travel(point, source)
            self._strangers[name] = Stranger(name, point.attr, source)
        return self._strangers[name]

    def among(self, names: Iterable[str]) -> tuple[Stranger, ...]:
        """Of these kinds, those that are not ours."""
        return tuple(self.stranger(name) for name in sorted(names) if name not in CLASSES and name in self._points)


def _offered_by(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "a package"


def _refuse_name(point: EntryPoint) -> None:
    if point.name in _TAKEN:
        raise UsageInvalid(
            f"{_offered_by(point)} offers a kind `{point.name}`, which is the name of one of vitrify's own",
            hint=f"uninstall {_offered_by(point)}, or have its kind renamed",
        )
    if not (_NAME.fullmatch(point.name) and str(point.attr or "").isidentifier()):
        raise UsageInvalid(
            f"{_offered_by(point)} offers a kind that cannot be declared",
            why=f"its entry point is `{point.name} = {point.value}`",
            hint="`name = module:Class`, and the name in small letters, digits and underscores",
        )


def _source(point: EntryPoint) -> bytes:
    """The source of its module, found without running a line of its package."""
    spec = _spec(point.module)
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        why = f"{_offered_by(point)} names the module {point.module}"
        raise UsageInvalid(f"the source of the kind `{point.name}` is not to be found", why=why, hint="install the package again")
    try:
        return Path(spec.origin).read_bytes()
    except OSError as error:
        raise UsageInvalid(f"the source of the kind `{point.name}` cannot be read", why=str(error)) from None


def _spec(module: str) -> ModuleSpec | None:
    top, *below = module.split(".")
    spec = importlib.util.find_spec(top)
    name = top
    for part in below:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return spec


def _refuse_what_cannot_travel(point: EntryPoint, source: bytes) -> None:
    """A target has the standard library and what travels of vitrify; and its Python may be old."""
    try:
        tree = ast.parse(source, filename=point.module, feature_version=_FLOOR)
    except (SyntaxError, ValueError) as error:
        why = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)
        hint = "it is written in the grammar of Python 3.9, which the oldest target may have"
        raise UsageInvalid(f"the kind `{point.name}` is no Python that a target can read", why=why, hint=hint) from None
    wrong = [f"{name} (line {line})" for name, line in _imports(tree) if not _travels(name)]
    if wrong:
        raise UsageInvalid(
            f"the kind `{point.name}` cannot travel to a target",
            why=f"it imports {', '.join(wrong)}",
            hint="one module that imports the standard library and what travels of `vitrify.core`, and nothing else",
        )


def _imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "." * node.level + (node.module or ""), node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "vitrify.core":
            yield from ((f"vitrify.core.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module), node.lineno


def _travels(name: str) -> bool:
    from vitrify.payload import CORE

    top, _, rest = name.partition(".")
    if top == "vitrify":
        return rest.startswith("core.") and rest.removeprefix("core.") in CORE
    return top in sys.stdlib_module_names
