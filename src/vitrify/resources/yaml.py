"""The kind `yaml`: one key in a YAML file."""

from __future__ import annotations

import re
from typing import List, Mapping, Optional, Tuple

from vitrify.core import keyed, part, yamltext
from vitrify.core.digest import JSON
from vitrify.core.resource import Resource
from vitrify.core.schema import Problem, Schema
from vitrify.core.yamltext import Entry, Odd

Span = Tuple[int, int]


def _yaml_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = keyed.problems(values)
    literal = str(values.get("literal", "x"))
    if "\n" in literal or not literal.strip() or (isinstance(yamltext.scalar(literal), Odd) and literal[:1] in "&*!|>{}[]%@`\"',#?-"):
        found.append(Problem(("literal",), "`literal` is a plain value on one line", "declare anything else as `value`"))
    return found


class Yaml(keyed.Keyed):
    """One key in a YAML file.

    All else stays as it is: order, comments, quotes. Maps that the way leads through are made where they are missing. Understood are
    block maps and lists, and on the way to the key nothing else: an anchor, an alias, a tag, a collection in brackets, or a second
    document is refused, not guessed at. A text is written so that every reader takes it for one (`"yes"`, `"012"`).
    """

    name = "yaml"
    schema = Schema(fields=keyed.FIELDS, one_of=keyed.ONE_OF, needs_one_of=keyed.ONE_OF, rules=(_yaml_rules,))

    def has(self, text: str, steps: keyed.Key) -> bool:
        """Whether something stands there."""
        lines = text.split("\n")
        return len(_way(lines, steps)) == len(steps)

    def holds(self, text: str, resource: Resource) -> bool:
        """Whether it is the same value."""
        lines = text.split("\n")
        entry = _way(lines, keyed.way(resource.fields))[-1]
        _refuse_marked(entry)
        if "literal" in resource.fields:
            spelled = entry.rest[: len(entry.rest) - len(yamltext.comment(entry.rest))]
            return spelled == resource.fields["literal"] and entry.end == entry.start + 1
        return keyed.same(yamltext.value(lines, entry), resource.fields.get("value"))

    def put(self, text: str, resource: Resource) -> str:
        """The text with the value in it."""
        carriage = "\r" if part.ending(text.encode()) == b"\r\n" else ""
        lines = [line.rstrip("\r") for line in text.split("\n")]
        if carriage and any(not line.endswith("\r") for line in text.split("\n")[:-1]):
            raise part.refused("some of its lines end with a carriage return and some do not", hint="make them alike")
        steps = keyed.way(resource.fields)
        found = _way(lines, steps)
        if len(found) == len(steps):
            entry = found[-1]
            _refuse_marked(entry)
            lines[entry.start : entry.end] = _replaced(lines, entry, resource)
        else:
            _add(lines, found, steps, resource)
        return f"{carriage}\n".join(lines)

    def without(self, text: str, steps: keyed.Key) -> str:
        """The text without the key, and without the maps that would be empty then."""
        lines = text.split("\n")
        found = _way(lines, steps)
        for place in range(len(found) - 1, 0, -1):
            inner, span, indent = yamltext.below(lines, found[place - 1])
            if len(yamltext.entries(inner, span, indent)) > 1:
                return "\n".join(_cut(lines, found[place]))
        return "\n".join(_cut(lines, found[0]))


def _cut(lines: List[str], entry: Entry) -> List[str]:
    if not entry.item and lines[entry.start][: entry.indent].strip():
        raise yamltext.wrong(entry.start, f"{entry.name!r} stands behind the dash of its item")
    return [*lines[: entry.start], *lines[entry.end :]]


def _refuse_marked(entry: Entry) -> None:
    if entry.rest[:1] in ("&", "*", "!"):
        raise yamltext.wrong(entry.start, f"{entry.name!r} has an anchor, an alias or a tag")


def _way(lines: List[str], steps: keyed.Key) -> Tuple[Entry, ...]:
    """The entries on the way, as far as it leads."""
    lines = [line.rstrip("\r") for line in lines]
    found: List[Entry] = []
    span: Optional[Span] = yamltext.body(lines)
    indent = _top(lines, yamltext.body(lines))
    for step in steps:
        if found:
            if not found[-1].rest and yamltext.value(lines, found[-1]) is None:
                break
            lines, span, indent = yamltext.below(lines, found[-1])
        entry = _step(yamltext.entries(lines, span or (0, 0), indent), step)
        if entry is None:
            break
        found.append(entry)
    return tuple(found)


def _top(lines: List[str], span: Span) -> int:
    first = next((line for line in lines[span[0] : span[1]] if not yamltext.blank(line)), "")
    return yamltext.depth(first)


def _step(entries: List[Entry], step: object) -> Optional[Entry]:
    items = bool(entries) and entries[0].item
    if isinstance(step, int):
        return entries[step] if items and step < len(entries) else None
    return None if items else next((entry for entry in entries if entry.name == step), None)


def _replaced(lines: List[str], entry: Entry, resource: Resource) -> List[str]:
    """The lines of an entry with another value; what stood before the value stays, and the comment behind it on its line."""
    first = lines[entry.start]
    single = entry.end == entry.start + 1
    lead = first[: len(first.rstrip()) - len(entry.rest)].rstrip() if entry.rest else re.sub(r"[ \t]+#.*$", "", first).rstrip()
    note = yamltext.comment(entry.rest) if entry.rest else first[len(lead) :]
    if "literal" in resource.fields:
        return [f"{lead} {resource.fields['literal']}{note if single else ''}"]
    wished = resource.fields.get("value")
    if isinstance(wished, (dict, list)) and wished:
        block = yamltext.written(wished, entry.indent + yamltext.INDENT)
        return [f"{lead}{note if single or not entry.rest else ''}", *block]
    return [f"{lead} {yamltext.written(wished, 0)[0]}{note if single else ''}".rstrip()]


def _add(lines: List[str], found: Tuple[Entry, ...], steps: keyed.Key, resource: Resource) -> None:
    """Put the rest of the way behind the last entry of the deepest map that is there."""
    missing = steps[len(found) :]
    names = [str(step) for step in missing if not isinstance(step, int)]
    if len(names) != len(missing):
        raise part.refused(f"{keyed.spoken(steps[: len(found)]) or 'the whole file'} has no place {missing[0]!r}")
    at, indent = _room(lines, found)
    new: List[str] = []
    for name in names[:-1]:
        new.append(f"{' ' * indent}{yamltext.spelled(name)}:")
        indent += yamltext.INDENT
    if "literal" in resource.fields:
        new.append(f"{' ' * indent}{yamltext.spelled(names[-1])}: {resource.fields['literal']}")
    else:
        new += yamltext.pair(yamltext.spelled(names[-1]), resource.fields.get("value"), indent)
    if at == len(lines):
        new.append("")
    lines[at:at] = new


def _room(lines: List[str], found: Tuple[Entry, ...]) -> Tuple[int, int]:
    """The line to put a new key before, and how deep it goes."""
    if found and not found[-1].rest and yamltext.value(lines, found[-1]) is None:
        return found[-1].start + 1, found[-1].indent + yamltext.INDENT
    if found:
        undashed, span, indent = yamltext.below(lines, found[-1])
    else:
        undashed, span, indent = lines, yamltext.body(lines), _top(lines, yamltext.body(lines))
    inner = yamltext.entries(undashed, span, indent)
    if inner and inner[0].item:
        raise yamltext.wrong(inner[0].start, "a list has no keys")
    if inner:
        return inner[-1].end, indent
    return max(len(lines) - (lines[-1] == ""), span[0]), indent
