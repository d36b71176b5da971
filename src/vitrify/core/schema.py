"""The fields of a kind: the only validator of a resource, the same on the control machine and on the target."""

from __future__ import annotations

import difflib
import json
import re
import shlex
from dataclasses import dataclass
from enum import Enum
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Tuple

from vitrify.core.digest import JSON


class Type(Enum):
    """What a field may hold. PATH is absolute and without `..`; MODE is a string of three or four octal digits."""

    TEXT = "text"
    PATH = "path"
    MODE = "mode"
    NAME = "name"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXTS = "list of texts"
    MAP = "map of texts"
    ANY = "anything"


@dataclass(frozen=True)
class Field:
    """One field of a kind. `secret` says that it may hold a secret: `secret:NAME` is resolved where the declaration is loaded.

    A field of type TEXT that is `secret` never travels itself, whether or not it holds one. Under its name stands a digest: a
    keyed one where it came from a secret (`resource.secret` is true then), a plain one otherwise. So a kind compares digests,
    and asks `system.blob(digest)` for the bytes when it needs them. Such a field has no `choices`, and is no part of a name. A
    resource that is absent goes without. In an image a secret is refused. A MAP that is `secret` is the environment of a process.

    A `control` field is declared and resolved away before the resource travels; a `resolved` one is what stands for it then,
    and nobody may declare it.
    """

    type: Type
    doc: str
    required: bool = False
    choices: Tuple[str, ...] = ()
    secret: bool = False
    control: bool = False
    resolved: bool = False


@dataclass(frozen=True)
class Problem:
    """What is wrong with a resource's fields; `path` leads to the value: `("mode",)`, `("env", "HOME")`."""

    path: Tuple[str, ...]
    summary: str
    hint: str = ""


Rule = Callable[[Mapping[str, JSON]], List[Problem]]
"""What one field alone cannot tell; asked only where every field by itself is right."""


@dataclass(frozen=True)
class Schema:
    """All fields of a kind, and which of them exclude each other or are needed together."""

    fields: Mapping[str, Field]
    one_of: Tuple[Tuple[str, ...], ...] = ()
    """Groups of fields of which at most one may be given."""
    needs_one_of: Tuple[Tuple[str, ...], ...] = ()
    """Groups of fields of which one must be given, unless the resource is absent."""
    rules: Tuple[Rule, ...] = ()
    removable: bool = True
    """Whether `absent: true` has a meaning."""
    lasting: str = "nobody can tell from outside what it did"
    """Why it has none."""

    def problems(self, values: Mapping[str, JSON], *, absent: bool = False, resolved: bool = False) -> List[Problem]:
        """Everything that is wrong, not only the first thing; empty means valid. `resolved` is the form that travels."""
        known = {name: field for name, field in self.fields.items() if not (field.control if resolved else field.resolved)}
        found = [_unknown(name, known) for name in values if name not in known]
        for name, field in known.items():
            if name in values:
                found += check(field, values[name], path=(name,))
            elif field.required:
                found.append(_missing(name, field))
        for group in self.one_of:
            given = [name for name in group if name in values]
            found += [Problem((name,), f"`{name}` cannot stand beside `{given[0]}`") for name in given[1:]]
        if not absent:
            found += self._needed(values, known)
        elif not self.removable:
            found.append(Problem((), "this kind cannot be absent", self.lasting))
        return found or [problem for rule in self.rules for problem in rule(values)]

    def _needed(self, values: Mapping[str, JSON], known: Mapping[str, Field]) -> List[Problem]:
        groups = [[name for name in group if name in known] for group in self.needs_one_of]
        lacking = [group for group in groups if not any(name in values for name in group)]
        return [
            _missing(group[0], known[group[0]])
            if len(group) == 1
            else Problem((), f"one of {', '.join(f'`{name}`' for name in group)} is needed")
            for group in lacking
        ]


def _unknown(name: str, known: Mapping[str, Field]) -> Problem:
    return Problem((name,), f"there is no field `{name}`", near(name, known) or f"fields: {', '.join(sorted(known))}")


def _missing(name: str, field: Field) -> Problem:
    return Problem((), f"the field `{name}` is missing", f"`{name}`: {field.doc}")


def near(word: str, known: Iterable[str]) -> str:
    """`did you mean …?` for a misspelt word, or nothing."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean `{match[0]}`?" if match else ""


_MODE = re.compile(r"[0-7]{3,4}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,254}")


def check(field: Field, value: JSON, *, path: Tuple[str, ...]) -> List[Problem]:
    """The problems of one value."""
    if field.type is Type.TEXTS:
        return _check_texts(value, path)
    if field.type is Type.MAP:
        return _check_map(value, path)
    summary = _SCALARS[field.type](value)
    if summary is None and field.choices and value not in field.choices:
        return [Problem(path, f"{value!r} is not one of {', '.join(field.choices)}", near(str(value), field.choices))]
    return [Problem(path, summary[0], summary[1])] if summary else []


Complaint = Optional[Tuple[str, str]]


def _check_text(value: JSON) -> Complaint:
    if not isinstance(value, str):
        return f"expected text, not {_spoken(value)}", "put it in quotes"
    return ("text cannot hold a NUL character", "") if "\0" in value else None


def _check_path(value: JSON) -> Complaint:
    if not isinstance(value, str):
        return _check_text(value)
    if not value.startswith("/"):
        return f"{value!r} is not an absolute path", "start it with /"
    if "\0" in value or any(ord(character) < 32 for character in value):
        return "a path cannot hold control characters", ""
    if any(part in ("..", ".") for part in value.split("/")):
        return f"{value!r} holds `.` or `..`", "write the path out"
    return None if value == "/" or not (value.endswith("/") or "//" in value) else (f"{value!r} has a slash too many", "")


def _check_mode(value: JSON) -> Complaint:
    if isinstance(value, int):
        return (
            f"a mode is text, not the number {value}",
            'write its octal digits in quotes, as in "0644" (YAML reads a bare 0644 as a decimal)',
        )
    if not isinstance(value, str) or not _MODE.fullmatch(value):
        return f"{value!r} is not a mode", 'three or four octal digits in quotes, as in "0644"'
    return None


def _check_name(value: JSON) -> Complaint:
    if not isinstance(value, str):
        return _check_text(value)
    return None if _NAME.fullmatch(value) else (f"{value!r} is not a name", "letters, digits, and . _ @ - inside")


def _check_integer(value: JSON) -> Complaint:
    return None if isinstance(value, int) and not isinstance(value, bool) else (f"expected a whole number, not {_spoken(value)}", "")


def _check_boolean(value: JSON) -> Complaint:
    return None if isinstance(value, bool) else (f"expected true or false, not {_spoken(value)}", "")


_SCALARS: Dict[Type, Callable[[JSON], Complaint]] = {
    Type.TEXT: _check_text,
    Type.PATH: _check_path,
    Type.MODE: _check_mode,
    Type.NAME: _check_name,
    Type.INTEGER: _check_integer,
    Type.BOOLEAN: _check_boolean,
    Type.ANY: lambda _: None,
}


def _check_texts(value: JSON, path: Tuple[str, ...]) -> List[Problem]:
    if not isinstance(value, list):
        return [Problem(path, f"expected a list, not {_spoken(value)}", _as_list(value))]
    if not value:
        return [Problem(path, "the list is empty")]
    return [Problem((*path, str(index)), *complaint) for index, item in enumerate(value) for complaint in [_check_text(item)] if complaint]


def _as_list(value: JSON) -> str:
    if not isinstance(value, str) or not value.strip():
        return "write [one, two]"
    if any(sign in value for sign in "|&;<>$`*"):
        return f"there is no shell; to ask for one, write {json.dumps(['/bin/sh', '-c', value], ensure_ascii=False)}"
    try:
        return f"write {json.dumps(shlex.split(value), ensure_ascii=False)}"
    except ValueError:
        return "write [one, two]"


def _check_map(value: JSON, path: Tuple[str, ...]) -> List[Problem]:
    if not isinstance(value, dict):
        return [Problem(path, f"expected a map, not {_spoken(value)}", "write {NAME: value}")]
    return [Problem((*path, name), *complaint) for name, item in value.items() for complaint in [_check_text(item)] if complaint]


def _spoken(value: JSON) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return {dict: "a map", list: "a list", str: "text", int: "a number", float: "a number"}.get(type(value), type(value).__name__)
