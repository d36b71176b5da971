"""Reads an inventory in Ansible's INI: sections of hosts, of child groups, of variables."""

from __future__ import annotations

import ast
import re
import shlex

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSON
from vitrify.project.inventory.gathered import ALL, UNGROUPED, Gathered
from vitrify.project.inventory.ranges import spelt_out

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:[#;].*)?")
_PORT = re.compile(r"(.*[^:]):([0-9]{1,5})")


def read(text: str, *, file: str) -> Gathered:
    """The inventory in this text."""
    found = Gathered(file)
    group, what = UNGROUPED, "hosts"
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        section = _SECTION.fullmatch(line)
        if section:
            group, what = section[1], section[2] or "hosts"
            found.group(group)
            if what not in ("hosts", "vars", "children"):
                found.remark(f"a section of {what!r} has no meaning; its lines are left out", line=number)
        elif what == "children":
            _child(found, group, line)
        elif what == "vars":
            _variable(found, group, line, number)
        elif what == "hosts":
            _host(found, group, line, number)
    return found


def _child(found: Gathered, group: str, line: str) -> None:
    child = re.split(r"\s+[#;]", line)[0].strip()
    found.group(child)
    if group != ALL:
        found.group(group).children[child] = None


def _variable(found: Gathered, group: str, line: str, number: int) -> None:
    name, equals, value = line.partition("=")
    if not equals:
        found.remark(f"{line!r} is not NAME=VALUE; it is left out", line=number)
        return
    found.group(group).variables[name.strip()] = typed(value.split(" #")[0].strip())


def _host(found: Gathered, group: str, line: str, number: int) -> None:
    try:
        pattern, *pairs = shlex.split(line, comments=True, posix=True)
        port = _PORT.fullmatch(pattern)
        names = spelt_out(port[1] if port else pattern)
    except (ValueError, VitrifyError) as error:
        found.remark(f"{line!r} is left out: {error}", line=number)
        return
    variables: dict[str, JSON] = {"ansible_port": int(port[2])} if port else {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if equals:
            variables[name] = typed(value)
        else:
            found.remark(f"{pair!r} is not NAME=VALUE; it is left out", line=number)
    for name in names:
        found.host(name, group, variables)


def typed(text: str) -> JSON:
    """A value as Ansible takes it: what reads as a value of Python is one, everything else is text."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return plain(value)


def plain(value: object) -> JSON:
    """A value of Python as JSON has it; what JSON lacks is written out."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return str(value)
