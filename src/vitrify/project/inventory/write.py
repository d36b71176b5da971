"""Writes an inventory as the YAML of a declaration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from vitrify.core.digest import JSON
from vitrify.core.report import Imported, ImportedGroup

WIDTH = 120
_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_./@:-]*[A-Za-z0-9_/]|[A-Za-z]")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def written(found: Imported) -> str:
    """The text: `vars` where there are any, and `groups`."""
    return "".join(f"{line}\n" for line in _lines(found))


def _lines(found: Imported) -> Iterator[str]:
    if found.variables:
        yield "vars:"
        yield from _pairs(found.variables, "  ")
    yield "groups:" if found.groups else "groups: {}"
    for group in found.groups:
        yield f"  {group.name}:"
        yield from _hosts(group)
        if group.variables:
            flow = f"    vars: {_flow({**group.variables})}"
            if len(flow) <= WIDTH:
                yield flow
            else:
                yield "    vars:"
                yield from _pairs(group.variables, "      ")


def _hosts(group: ImportedGroup) -> Iterator[str]:
    if not group.hosts:
        yield f"    hosts: [{', '.join(group.inner)}]"
        return
    yield "    hosts:"
    yield from (f"      - {name}" for name in group.inner)
    for at, variables in group.hosts:
        yield f"      - {_flow({'at': at, 'vars': {**variables}}) if variables else _scalar(at)}"


def _pairs(values: Mapping[str, JSON], margin: str) -> Iterator[str]:
    return (f"{margin}{_scalar(name)}: {_flow(value)}" for name, value in values.items())


def _flow(value: JSON) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(name)}: {_flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: JSON) -> str:
    if isinstance(value, str) and _BARE.fullmatch(value) and value.lower() not in _WORDS:
        return value
    # JSON is YAML, and ASCII is safe to print.
    return json.dumps(value)
