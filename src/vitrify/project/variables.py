"""Fills `${var.x}` and `${param.x}` into values; a value that is wholly one reference keeps the variable's type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from vitrify.core.diagnostic import Location, UsageInvalid
from vitrify.core.schema import near
from vitrify.project.node import Entry, Node, scalars, spoken
from vitrify.project.problems import Problems

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
LONGEST = 1024 * 1024
"""Characters in a text that variables were filled into; parameters handed from profile to profile could double it each time."""

LARGEST = 2000
"""Values in a list or map that stands for a whole reference, and for the same reason."""

DEEPEST = 50
"""Levels of such a list or map."""

LATER = "instance.port"
"""Known only once an instance runs, so it stays as it is, and only where a process reads it."""

NOT_GIVEN = Node(None, Location("", 0, 0))
"""What a parameter stands for that need not be given and was not: the key whose whole value it is, is left out."""

_HINT = "`${var.NAME}` and `${param.NAME}` are filled in; write `$${` for `${` itself"


@dataclass(frozen=True)
class Scope:
    """What can be referred to in one place. `params` is None outside a profile; `later` where `${instance.port}` may stand."""

    variables: Mapping[str, Node] = field(default_factory=dict)
    params: Mapping[str, Node] | None = None
    later: bool = False

    def beneath(self, more: Mapping[str, Node]) -> Scope:
        """This scope, with variables that win over its own."""
        return replace(self, variables={**self.variables, **more}) if more else self


def variables_of(owner: Node | None, problems: Problems) -> Mapping[str, Node]:
    """The variables of a `vars` map; values are literal, so nothing depends on the order in which they are read."""
    found = owner.get("vars") if owner else None
    if found is None:
        return {}
    for scalar in scalars(found):
        if isinstance(scalar.value, str) and "${" in scalar.value.replace("$${", ""):
            problems.add("a variable cannot be made of other variables", scalar.at, hint=_HINT)
    return {name: entry.node for name, entry in found.entries.items()}


def overridden(overrides: Mapping[str, str], *, declared: Mapping[str, Node]) -> Mapping[str, Node]:
    """The values of the command line, each in the type of the variable it stands in for. UsageInvalid where one cannot be."""
    found: dict[str, Node] = {}
    for name, text in overrides.items():
        if name not in declared:
            raise UsageInvalid(f"there is no variable `{name}`", hint=near(name, declared) or "declare it under `vars`, with a default")
        if any("\ud800" <= sign <= "\udfff" or sign == "\0" for sign in text):
            raise UsageInvalid(f"the value of the variable `{name}` is not text")
        found[name] = Node(_typed(name, text, declared[name]), Location("command line", 1, 1))
    return found


def _typed(name: str, text: str, declared: Node) -> bool | int | str:
    value = declared.value
    if isinstance(value, bool):
        if text not in ("true", "false"):
            raise UsageInvalid(f"the variable `{name}` is true or false, not {text!r}")
        return text == "true"
    if isinstance(value, int):
        if not re.fullmatch(r"[-+]?[0-9]{1,18}", text):
            raise UsageInvalid(f"the variable `{name}` is a whole number, not {text!r}")
        return int(text)
    if isinstance(value, (tuple, dict)):
        raise UsageInvalid(f"the variable `{name}` is {spoken(declared)} and cannot be given on the command line")
    return text


def fill(node: Node, scope: Scope, problems: Problems) -> Node:
    """The value with its references filled in, every part still where it was written."""
    value = node.value
    if isinstance(value, str):
        return _fill_text(node, value, scope, problems) if "${" in value else node
    if isinstance(value, tuple):
        items = tuple(fill(item, scope, problems) for item in value)
        return node if all(new is old for new, old in zip(items, value, strict=True)) else Node(items, node.at)
    if isinstance(value, dict):
        entries = {
            key: Entry(entry.at, fill(entry.node, scope, problems)) for key, entry in value.items() if not _left_out(entry.node, scope)
        }
        same = len(entries) == len(value) and all(entries[key].node is value[key].node for key in value)
        return node if same else Node(entries, node.at)
    return node


def _left_out(node: Node, scope: Scope) -> bool:
    """Whether a value is wholly a parameter that was not given."""
    text = node.value
    named = text[len("${param.") : -1] if isinstance(text, str) and text.startswith("${param.") and text.endswith("}") else ""
    return bool(named) and (scope.params or {}).get(named) is NOT_GIVEN


def _fill_text(node: Node, text: str, scope: Scope, problems: Problems) -> Node:
    whole = _REFERENCE.fullmatch(text)
    if whole and whole.group(1) is not None:
        found = _lookup(text, node.at, scope, problems)
        if found and not _fits(found):
            problems.add(
                f"`{text}` is too large once variables are filled in", node.at, hint=f"up to {LARGEST} values, {DEEPEST} levels deep"
            )
        elif found:
            return _moved(found, node.at)
        return node
    parts: list[str] = []
    end = 0
    for match in _REFERENCE.finditer(text):
        parts += [text[end : match.start()], _inside(match, node.at, scope, problems)]
        end = match.end()
    filled = "".join([*parts, text[end:]])
    if len(filled) > LONGEST:
        problems.add(f"this is longer than {LONGEST} characters once variables are filled in", node.at)
        return node
    return Node(filled, node.at)


def _fits(node: Node) -> bool:
    """Whether a value is small enough to be copied to where it is used."""
    level, size = [node], 1
    for _ in range(DEEPEST):
        level = [part for one in level for part in (*one.items, *(entry.node for entry in one.entries.values()))]
        size += len(level)
        if not level or size > LARGEST:
            break
    return not level and size <= LARGEST


def _moved(node: Node, at: Location) -> Node:
    """A variable's value, as if it stood where it is used: problems with it are told there."""
    if isinstance(node.value, tuple):
        return Node(tuple(_moved(item, at) for item in node.value), at, filled=True)
    if isinstance(node.value, dict):
        return Node({key: Entry(at, _moved(entry.node, at)) for key, entry in node.value.items()}, at, filled=True)
    return Node(node.value, at, filled=True)


def _inside(match: re.Match[str], at: Location, scope: Scope, problems: Problems) -> str:
    if match.group(1) is None:
        return "${"
    found = _lookup(match.group(), at, scope, problems)
    if found is None:
        return match.group()
    value = found.value
    if found is NOT_GIVEN:
        problems.add(f"`{match.group()}` was not given and cannot stand inside a text", at, hint="give the parameter a default")
        return match.group()
    if value is None or isinstance(value, (tuple, dict)):
        problems.add(f"`{match.group()}` is {spoken(found)} and cannot stand inside a text", at, hint="let it be the whole value")
        return match.group()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lookup(reference: str, at: Location, scope: Scope, problems: Problems) -> Node | None:
    """What a reference stands for; None where that is noted as a problem, or is known only later."""
    name = reference[2:-1]
    if not reference.endswith("}"):
        problems.add(f"`{reference}` has no closing brace", at, hint=_HINT)
        return None
    if name == LATER:
        if not scope.later:
            problems.add("`${instance.port}` is known only to a process that runs", at, hint="use it in the fields of a `process`")
        return None
    space, dot, key = name.partition(".")
    if space == "param" and dot and scope.params is None:
        problems.add(f"`{reference}` stands outside a profile", at, hint="only a profile has parameters; `${var.NAME}` is a variable")
        return None
    known = {"var": scope.variables, "param": scope.params or {}}.get(space)
    if known is None or not dot:
        problems.add(f"`{reference}` means nothing", at, hint=near(name, _names(scope)) or _HINT)
        return None
    if key not in known:
        what = "variable" if space == "var" else "parameter"
        problems.add(f"there is no {what} `{key}`", at, hint=near(key, known) or _known(what, known))
        return None
    return known[key]


def _names(scope: Scope) -> list[str]:
    return [*(f"var.{name}" for name in scope.variables), *(f"param.{name}" for name in scope.params or {}), LATER]


def _known(what: str, names: Mapping[str, Node]) -> str:
    return f"{what}s here: {', '.join(sorted(names))}" if names else f"no {what} is declared here"
