"""Reads an inventory in Ansible's YAML: groups that hold hosts, variables and further groups."""

from __future__ import annotations

from vitrify.core.diagnostic import DeclarationInvalid, VitrifyError
from vitrify.core.digest import JSON
from vitrify.project.inventory.gathered import ALL, Gathered
from vitrify.project.inventory.ranges import spelt_out
from vitrify.project.node import Node, plain, scalars, spoken
from vitrify.project.problems import Problems

BOOLEANS = frozenset({"yes", "no", "on", "off", "Yes", "No", "On", "Off", "YES", "NO", "ON", "OFF"})


def read(content: bytes, *, file: str) -> Gathered:
    """The inventory in these bytes."""
    from vitrify.project.yaml import parse

    problems = Problems()
    root = parse(content, file=file, problems=problems)
    found = Gathered(file)
    try:
        problems.settle()
    except DeclarationInvalid as error:
        for one in error.diagnostics:
            found.remark(one.summary, line=one.where.line if one.where else None)
    for name, entry in root.entries.items():
        _group(found, name, entry.node)
    if not root.entries:
        found.remark(f"expected a map of groups, not {spoken(root)}", line=root.at.line)
    return found


def _group(found: Gathered, name: str, node: Node) -> None:
    group = found.group(name)
    for key, (at, value) in node.entries.items():
        if key not in ("hosts", "vars", "children"):
            found.remark(f"the key {key!r} of a group has no meaning; it is left out", line=at.line)
        elif value.value is not None and not isinstance(value.value, dict):
            found.remark(f"{key!r} is a map, not {spoken(value)}; it is left out", line=at.line)
        elif key == "vars":
            group.variables.update(_variables(found, value))
        elif key == "hosts":
            for pattern, host in value.entries.items():
                _host(found, name, pattern, host.node)
        else:
            _children(found, name, value)


def _children(found: Gathered, name: str, node: Node) -> None:
    for child, entry in node.entries.items():
        found.group(child)
        if name != ALL:
            found.group(name).children[child] = None
        _group(found, child, entry.node)


def _host(found: Gathered, group: str, pattern: str, node: Node) -> None:
    variables = _variables(found, node)
    try:
        names = spelt_out(pattern)
    except VitrifyError as error:
        found.remark(f"{pattern!r} is left out: {error}", line=node.at.line)
        return
    for name in names:
        found.host(name, group, variables)


def _variables(found: Gathered, node: Node) -> dict[str, JSON]:
    for scalar in scalars(node):
        if scalar.value in BOOLEANS:
            found.remark(f"a bare `{scalar.value}` is true or false to Ansible, and text here", line=scalar.at.line)
    return {name: plain(entry.node) for name, entry in node.entries.items()}
