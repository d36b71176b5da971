"""Where something new goes in a file of lines: after or before a line that a pattern is found in, at the beginning, at the end."""

from __future__ import annotations

import re
from typing import List, Mapping, Sequence

from vitrify.core.digest import JSON
from vitrify.core.schema import Field, Problem, Type

BEGINNING, END = "BOF", "EOF"

FIELDS: Mapping[str, Field] = {
    "insert_after": Field(
        Type.TEXT, "a regular expression: what is new goes after the last line it is found in, at the end where it is found nowhere"
    ),
    "insert_before": Field(
        Type.TEXT,
        "a regular expression: what is new goes before the last line it is found in, at the end where it is found nowhere; "
        "BOF is the beginning of the file",
    ),
}
EXCLUSIVE = ("insert_after", "insert_before")


def problems(values: Mapping[str, JSON]) -> List[Problem]:
    """What is wrong with these fields."""
    found = []
    for name in EXCLUSIVE:
        try:
            re.compile(str(values.get(name, "")))
        except re.error as error:
            found.append(Problem((name,), f"`{name}` is not a regular expression", str(error)))
    return found


def place(lines: Sequence[str], fields: Mapping[str, JSON]) -> int:
    """The index of the line that something new goes before; behind the last one where it goes to the end."""
    name = next((name for name in EXCLUSIVE if name in fields), "")
    if not name or fields[name] == END:
        return len(lines)
    if fields[name] == BEGINNING:
        return 0
    pattern = re.compile(str(fields[name]))
    at = [index for index, line in enumerate(lines) if pattern.search(line)]
    return at[-1] + (name == "insert_after") if at else len(lines)
