"""The kind `json`: one key in a JSON file."""

from __future__ import annotations

import json
import re
from typing import List, Mapping, Optional, Tuple

from vitrify.core import jsontext, keyed, part
from vitrify.core.digest import JSON
from vitrify.core.jsontext import Node, parse
from vitrify.core.resource import Resource
from vitrify.core.schema import Problem, Schema

INDENT = "  "
_COMMENT = re.compile(r"[ \t]*(//[^\n]*|/\*[^\n]*?\*/)(?=[ \t]*\n)")
_COMMA_AND_LINE = re.compile(r"\s*,[ \t]*(//[^\n]*)?\n[ \t]*")
"""What goes with a member that is taken away: its comma, and what is said about it on the same line."""


def _json_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = keyed.problems(values)
    if "literal" in values:
        try:
            json.loads(str(values["literal"]))
        except ValueError as error:
            found.append(Problem(("literal",), "`literal` is not JSON", str(error)))
    return found


class Json(keyed.Keyed):
    """One key in a JSON file.

    All else stays as it is, byte for byte: order, spaces, comments. A map that the way leads through is made where it is missing.
    A new key goes to the end of its map, indented as its neighbours are.
    """

    name = "json"
    schema = Schema(fields=keyed.FIELDS, one_of=keyed.ONE_OF, needs_one_of=keyed.ONE_OF, rules=(_json_rules,))

    def has(self, text: str, steps: keyed.Key) -> bool:
        """Whether something stands there."""
        return bool(text.strip()) and len(_found(parse(text), steps)) == len(steps) + 1

    def holds(self, text: str, resource: Resource) -> bool:
        """Whether it is the same value."""
        return keyed.same(_found(parse(text), keyed.way(resource.fields))[-1].value, _wished(resource))

    def put(self, text: str, resource: Resource) -> str:
        """The text with the value in it."""
        steps = keyed.way(resource.fields)
        if not text.strip():
            return jsontext.written(_wrapped(steps, _wished(resource)), indent=INDENT, at="") + "\n"
        nodes = _found(parse(text), steps)
        last, missing = nodes[-1], steps[len(nodes) - 1 :]
        if not missing:
            return text[: last.start] + _written(_wished(resource), text, last.start, literal=_literal(resource)) + text[last.end :]
        if last.type == "list" and missing[0] == len(last.items):
            return _appended(text, last, _wrapped(missing[1:], _wished(resource)))
        if last.type != "map" or isinstance(missing[0], int):
            raise part.refused(f"{keyed.spoken(steps[: len(nodes) - 1]) or 'the whole file'} is a {last.type} without {missing[0]!r}")
        return _added(text, last, str(missing[0]), _wrapped(missing[1:], _wished(resource)))

    def without(self, text: str, steps: keyed.Key) -> str:
        """The text without the value, and without the comma that it leaves."""
        nodes = _found(parse(text), steps)
        above = nodes[-2]
        spans = [(at, node.end) for _, at, node in above.members] or [(node.start, node.end) for node in above.items]
        place = next(index for index, span in enumerate(spans) if span[1] == nodes[-1].end)
        start, end = spans[place]
        if place + 1 < len(spans):
            line = _COMMA_AND_LINE.match(text, end)
            return text[:start] + text[line.end() if line else spans[place + 1][0] :]
        if not place:
            return text[: above.start + 1] + text[end:].lstrip()
        before = spans[place - 1][1]
        comma = jsontext.skip(text, before)
        return text[:comma] + text[comma + 1 : start].rstrip() + text[end:]


def _wished(resource: Resource) -> JSON:
    literal = _literal(resource)
    value: JSON = json.loads(literal) if literal is not None else resource.fields.get("value")
    return value


def _literal(resource: Resource) -> Optional[str]:
    return str(resource.fields["literal"]) if "literal" in resource.fields else None


def _found(node: Node, steps: keyed.Key) -> Tuple[Node, ...]:
    """The values on the way, as far as it leads."""
    nodes = [node]
    for step in steps:
        here = nodes[-1]
        if isinstance(step, int):
            inner = here.items[step] if step < len(here.items) else None
        else:
            inner = next((one for name, _, one in here.members if name == step), None)
        if inner is None:
            break
        nodes.append(inner)
    return tuple(nodes)


def _wrapped(steps: keyed.Key, value: JSON) -> JSON:
    """The value within the maps that are still missing on the way."""
    for step in reversed(steps):
        if isinstance(step, int):
            raise part.refused(f"there is no list that could have a place {step}")
        value = {step: value}
    return value


def _written(value: JSON, text: str, at: int, *, literal: Optional[str] = None) -> str:
    if literal is not None:
        return literal
    return jsontext.written(value, indent=_indent(text), at=_margin(text, at))


def _margin(text: str, at: int) -> str:
    """The spaces that the line of this place begins with."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _indent(text: str) -> str:
    """How deep this file indents; nothing where it is all on one line."""
    found = re.search(r"[{\[]\s*?\n([ \t]+)", text)
    return found.group(1) if found else "" if "\n" not in text.strip() else INDENT


def _added(text: str, above: Node, name: str, value: JSON) -> str:
    quoted = json.dumps(name, ensure_ascii=False)
    return _put_in(
        text, above, [at for _, at, _ in above.members], above.members[-1][2].end if above.members else -1, (f"{quoted}: ", value)
    )


def _appended(text: str, above: Node, value: JSON) -> str:
    return _put_in(text, above, [item.start for item in above.items], above.items[-1].end if above.items else -1, ("", value))


def _put_in(text: str, above: Node, starts: List[int], end: int, new: Tuple[str, JSON]) -> str:
    """One more member at the end of a map or a list, on a line of its own where the last one has one."""
    lead, value = new
    if starts:
        alone = "\n" in text[above.start : starts[-1]]
        noted = _COMMENT.match(text, end) if alone else None
        behind = noted.end() if noted else end
        before = f"\n{_margin(text, starts[-1])}" if alone else " "
        return text[:end] + "," + text[end:behind] + before + lead + _written(value, text, starts[-1]) + text[behind:]
    indent = _indent(text)
    margin = _margin(text, above.start)
    if not indent:
        return f"{text[: above.start + 1]}{lead}{json.dumps(value, ensure_ascii=False)}{text[above.end - 1 :]}"
    inner = f"\n{margin}{indent}{lead}{jsontext.written(value, indent=indent, at=margin + indent)}\n{margin}"
    return text[: above.start + 1] + inner + text[above.end - 1 :]
