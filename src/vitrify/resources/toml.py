"""The kind `toml`: one key in a TOML file."""

from __future__ import annotations

from typing import List, Mapping, Optional, Tuple

from vitrify.core import keyed, part, tomltext
from vitrify.core.digest import JSON
from vitrify.core.resource import Resource
from vitrify.core.schema import Problem, Schema
from vitrify.core.tomltext import Statement, Way


def _toml_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = keyed.problems(values)
    key = values["key"]
    if isinstance(key, list) and any(isinstance(step, int) for step in key):
        found.append(Problem(("key",), "a place in a list cannot be named here", "declare the whole list"))
    if "value" in values and _holds_nothing(values["value"]):
        found.append(Problem(("value",), "TOML has no word for nothing", "leave the key out, or declare it absent"))
    if "literal" in values and ("\n" in str(values["literal"]) or tomltext.only_value(str(values["literal"])) is None):
        found.append(Problem(("literal",), "`literal` is not one TOML value on one line"))
    return found


def _holds_nothing(value: JSON) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(_holds_nothing(one) for one in inner)


class Toml(keyed.Keyed):
    """One key in a TOML file.

    All else stays as it is: order, comments, spaces. A new key goes to the end of its table; a table that is missing goes to the end
    of the file. A whole table is not a value here: declare its keys one by one. A way that leads into an array of tables, or into a
    table in braces, is refused.
    """

    name = "toml"
    schema = Schema(fields=keyed.FIELDS, one_of=keyed.ONE_OF, needs_one_of=keyed.ONE_OF, rules=(_toml_rules,))

    def has(self, text: str, steps: keyed.Key) -> bool:
        """Whether something stands there."""
        return _found(text, _names(steps)) is not None

    def holds(self, text: str, resource: Resource) -> bool:
        """Whether it is the same value; a literal must be spelled the same."""
        found = _found(text, _names(keyed.way(resource.fields)))
        if found is None:
            return False
        if "literal" in resource.fields:
            return text[found.value_start : found.value_end] == resource.fields["literal"]
        return keyed.same(found.value, resource.fields.get("value"))

    def put(self, text: str, resource: Resource) -> str:
        """The text with the value in it."""
        way = _names(keyed.way(resource.fields))
        value = str(resource.fields["literal"]) if "literal" in resource.fields else tomltext.written(resource.fields["value"])
        found = _found(text, way)
        if found is not None:
            return text[: found.value_start] + value + text[found.value_end :]
        ending = part.ending(text.encode()).decode()
        line = f"{tomltext.name_of(way[-1])} = {value}{ending}"
        at = _room(text, way[:-1])
        if at is None:
            header = f"[{'.'.join(tomltext.name_of(name) for name in way[:-1])}]{ending}"
            return _closed(text, ending) + (ending if text.strip() else "") + header + line
        return _closed(text[:at], ending) + _margin(text, at, way[:-1]) + line + text[at:]

    def without(self, text: str, steps: keyed.Key) -> str:
        """The text without the key and its line."""
        found = _found(text, _names(steps))
        if found is None:
            return text
        return text[: text.rfind("\n", 0, found.start) + 1] + text[found.end :]


def _names(steps: keyed.Key) -> Way:
    return tuple(str(step) for step in steps)


def _closed(text: str, ending: str) -> str:
    return text if not text or text.endswith("\n") else text + ending


def _found(text: str, way: Way) -> Optional[Statement]:
    """The statement of this very key; refused where the way leads through something that is not a plain table."""
    statements = tomltext.parse(text)
    named: List[Statement] = []
    for statement in statements:
        if statement.header and statement.many and way[: len(statement.way)] == statement.way:
            raise _wrong(text, statement, "this is an array of tables")
        if statement.header and statement.way[: len(way)] == way:
            raise _wrong(text, statement, "a whole table stands there, not a value")
        if statement.header:
            continue
        if len(statement.way) < len(way) and way[: len(statement.way)] == statement.way:
            raise _wrong(text, statement, "the way leads into a value")
        if len(statement.way) > len(way) and statement.way[: len(way)] == way:
            raise _wrong(text, statement, "a whole table stands there, not a value")
        named += [statement] if statement.way == way else []
    if len(named) > 1:
        raise _wrong(text, named[1], "this key stands twice")
    return named[0] if named else None


def _wrong(text: str, statement: Statement, why: str) -> Exception:
    return part.refused(f"line {keyed.line_of(text, statement.start)}: {why}")


def _room(text: str, table: Way) -> Optional[int]:
    """The place behind the last key of a table; None where there is no header of it."""
    statements = tomltext.parse(text)
    headers = [statement for statement in statements if statement.header and statement.way == table]
    keys = [statement for statement in statements if not statement.header and statement.table == table]
    if len(headers) > 1:
        raise _wrong(text, headers[1], "this table stands twice")
    dotted = next((one for one in statements if not one.header and one.table != table and _leads_through(one, table)), None)
    if dotted is not None:
        raise _wrong(text, dotted, "the table is written with dots in its keys, and cannot be added to elsewhere")
    if keys:
        return keys[-1].end
    if headers:
        return headers[0].end
    if table:
        return None
    return _beginning(text, statements)


def _leads_through(statement: Statement, table: Way) -> bool:
    """Whether a key with dots makes this table, or one that it lies in, by itself."""
    made: List[Tuple[str, ...]] = [statement.way[:length] for length in range(len(statement.table) + 1, len(statement.way))]
    return any(table[: len(one)] == one for one in made)


def _beginning(text: str, statements: List[Statement]) -> int:
    """Where the first key of all goes: before the first header, and what is said about that; else at the end."""
    if not statements:
        return len(text)
    at = text.rfind("\n", 0, statements[0].start) + 1
    while at:
        above = text.rfind("\n", 0, at - 1) + 1
        if not text[above:at].strip().startswith("#"):
            break
        at = above
    return at


def _margin(text: str, at: int, table: Way) -> str:
    """The spaces that the table's last key begins with."""
    keys = [statement for statement in tomltext.parse(text) if not statement.header and statement.table == table]
    if not keys:
        return ""
    start = keys[-1].start
    return text[text.rfind("\n", 0, start) + 1 : start] if at >= start else ""
