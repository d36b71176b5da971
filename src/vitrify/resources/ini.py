"""The kind `ini`: one option in a file of sections, as php.ini, my.cnf or a systemd drop-in are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Mapping, Optional, Tuple

from vitrify.core import part
from vitrify.core.digest import JSON
from vitrify.core.resource import Resource
from vitrify.core.schema import Field, Problem, Schema, Type

_HEADER = re.compile(r"\s*\[([^\]]*)\]\s*([#;].*)?")
_OPTION = re.compile(r"(?P<indent>\s*)(?P<name>[^=:#;\[\s][^=:]*?)(?P<separator>\s*[=:]\s*)(?P<value>.*?)\s*")
_BARE = re.compile(r"(?P<indent>\s*)(?P<name>[^=:#;\[\s][^=:]*?)\s*")
SEPARATOR = " = "


def _ini_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = part.problems(values)
    for name, strange in (("section", "]"), ("option", "=:"), ("separator", "")):
        text = str(values.get(name, ""))
        if any(ord(character) < 32 or character in strange for character in text):
            found.append(Problem((name,), f"`{name}` cannot hold line breaks" + (f" or {strange!r}" if strange else "")))
    option = str(values.get("option", "x"))
    if option != option.strip() or option[:1] in ("", "#", ";", "["):
        found.append(Problem(("option",), f"{option!r} is not the name of an option"))
    if str(values.get("separator", "=")).strip() not in ("=", ":"):
        found.append(Problem(("separator",), "a separator is `=` or `:`, with spaces as you like"))
    return found


@dataclass(frozen=True)
class _Line:
    """One option in a file: where, and how it is written. `value` is None for an option that stands alone."""

    index: int
    section: str
    name: str
    indent: str
    separator: str
    value: Optional[str]


class Ini(part.Part):
    """One option in a file of sections.

    Comments, order and all other options stay as they are. A new option goes to the end of its section, written as its neighbours
    are; a new section goes to the end of the file. Names are compared as they are written. What follows the separator is the value,
    whatever it holds. An option that stands in its section several times, or over several lines, is refused.
    """

    name = "ini"
    schema = Schema(
        fields={
            "section": Field(Type.TEXT, "the section; where not given, what stands before the first one"),
            "option": Field(Type.TEXT, "the option's name", required=True),
            "value": Field(Type.TEXT, "its value, as it stands in the file; where not given, the option stands alone", secret=True),
            "separator": Field(
                Type.TEXT, f'between a new option and its value; as its neighbours have it where not given, else "{SEPARATOR}"'
            ),
            **part.FIELDS,
        },
        rules=(_ini_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path, the section and the option."""
        section = f"[{fields['section']}]" if "section" in fields else ""
        return f"{fields['path']}#{section}{fields['option']}"

    def state(self, content: bytes, resource: Resource, named: part.Named) -> Optional[bool]:
        """Compares the value as it stands."""
        found = _only(_Text(content), resource)
        if found is None:
            return None
        if "value" not in resource.fields or found.value is None:
            return found.value is None and "value" not in resource.fields
        return named(found.value.encode("utf-8", "surrogateescape"), str(resource.fields["value"]))

    def edited(self, content: bytes, resource: Resource, blob: part.Blob) -> bytes:
        """The file with the option as wished, or without it."""
        text = _Text(content)
        found = _only(text, resource)
        if resource.absent:
            return content if found is None else text.without(found.index)
        value = _value(resource, blob)
        if found is not None:
            separator = found.separator or str(resource.fields.get("separator", SEPARATOR))
            text.lines[found.index] = _written(found.indent + found.name, separator, value)
            return text.joined()
        return text.added(resource, value)


def _value(resource: Resource, blob: part.Blob) -> Optional[str]:
    if "value" not in resource.fields:
        return None
    value = blob(str(resource.fields["value"])).decode("utf-8", "surrogateescape")
    if any(character in value for character in "\r\n") or value != value.strip():
        raise part.refused("the value holds a line break, or spaces at its ends", hint="such a value cannot stand in this kind of file")
    return value


def _written(name: str, separator: str, value: Optional[str]) -> str:
    return name if value is None else f"{name}{separator}{value}".rstrip()


class _Text:
    """The lines of a file, and which of them are options."""

    def __init__(self, content: bytes) -> None:
        self._carriage = part.ending(content) == b"\r\n"
        raw = content.split(b"\n")
        self._complete = raw[-1] == b""
        self.lines = part.texts(raw[:-1] if self._complete else raw)
        self.mixed = any(line.endswith(b"\r") is not self._carriage for line in raw[:-1])
        self.headers: List[Tuple[int, str]] = []
        self.options: List[_Line] = []
        section = ""
        for index, line in enumerate(self.lines):
            header = _HEADER.fullmatch(line)
            if header:
                section = header.group(1).strip()
                self.headers.append((index, section))
            else:
                self.options += _option(index, section, line)

    def joined(self) -> bytes:
        """The file's content."""
        if self.mixed:
            raise part.refused("some of its lines end with a carriage return and some do not", hint="make them alike")
        ending = "\r\n" if self._carriage else "\n"
        text = ending.join(self.lines) + (ending if self.lines and self._complete else "")
        return text.encode("utf-8", "surrogateescape")

    def without(self, index: int) -> bytes:
        """The file without this line."""
        del self.lines[index]
        return self.joined()

    def added(self, resource: Resource, value: Optional[str]) -> bytes:
        """The file with a new option at the end of its section."""
        section = str(resource.fields["section"]) if "section" in resource.fields else None
        self._complete = True
        near = [
            option for option in self.options if option.section == (section or "") and (section is not None or self._leads(option.index))
        ]
        style = next((option for option in reversed(near or self.options) if option.separator), None)
        separator = str(resource.fields.get("separator", style.separator if style else SEPARATOR))
        line = _written((near[-1].indent if near else "") + str(resource.fields["option"]), separator, value)
        at = self._end_of(section, near)
        if at is None:
            blank = [""] if self.lines and self.lines[-1].strip() else []
            self.lines += [*blank, f"[{section}]", line]
        else:
            self.lines.insert(at, line)
        return self.joined()

    def _leads(self, index: int) -> bool:
        return not self.headers or index < self.headers[0][0]

    def _end_of(self, section: Optional[str], near: List[_Line]) -> Optional[int]:
        """The index behind the section's last option; None where there is no such section."""
        if near:
            return self._behind(near[-1].index)
        if section is None:
            return self.headers[0][0] if self.headers else len(self.lines)
        headers = [index for index, name in self.headers if name == section]
        return headers[-1] + 1 if headers else None

    def _behind(self, index: int) -> int:
        while index + 1 < len(self.lines) and self.continues(index + 1, index):
            index += 1
        return index + 1

    def continues(self, index: int, first: int) -> bool:
        """Whether a line goes on with the value of the option before it: indented deeper, and nothing of its own."""
        line = self.lines[index]
        deeper = len(line) - len(line.lstrip()) > len(self.lines[first]) - len(self.lines[first].lstrip())
        return deeper and bool(line.strip()) and line.strip()[0] not in "#;[" and not _OPTION.fullmatch(line)


def _option(index: int, section: str, line: str) -> List[_Line]:
    found = _OPTION.fullmatch(line)
    if found:
        return [_Line(index, section, found.group("name"), found.group("indent"), found.group("separator"), found.group("value"))]
    bare = _BARE.fullmatch(line)
    return [_Line(index, section, bare.group("name"), bare.group("indent"), "", None)] if bare else []


def _only(text: _Text, resource: Resource) -> Optional[_Line]:
    """The one line that the wish is about."""
    section = str(resource.fields.get("section", ""))
    named = [line for line in text.options if line.section == section and line.name == str(resource.fields["option"])]
    found = [line for line in named if "section" in resource.fields or not text.headers or line.index < text.headers[0][0]]
    if not found:
        return None
    numbers = ", ".join(str(line.index + 1) for line in found)
    if len(found) > 1:
        raise part.refused(f"the option stands several times in its section (lines {numbers})", hint="leave one, or declare each `line`")
    index = found[0].index
    goes_on = index + 1 < len(text.lines) and text.continues(index + 1, index)
    if goes_on or (found[0].value or "").endswith("\\"):
        raise part.refused(f"the value goes over several lines (from line {numbers})", hint="write it on one line, or declare a `block`")
    return found[0]
