"""Finds what the source writes into ledgers, so that no list of the kinds of entries is kept by hand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from source import Module, package

_DOTTED = re.compile(r"[a-z]+(\.[a-z]+)+")
_LEDGERS = ("ledger", "log", "_ledger", "_log")


def kinds_in_source() -> Mapping[str, str]:
    """Kind -> where it is written; what is filled in where it is written is a `*`."""
    constants = {found.name: dict(_constants(found.tree)) for found in package()}
    return {kind: found.place for found in package() if ".testing" not in found.name for kind in _written(found, constants)}


def _written(found: Module, constants: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    known = {**_imported(found.tree, constants), **constants[found.name]}
    for node in ast.walk(found.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("append", "once", "note"):
            yield from _kinds(_argument(node, node.func), known)


def _argument(call: ast.Call, function: ast.Attribute) -> ast.expr | None:
    """What says the kind in `….ledger.append(KIND, …)`, `record.once(ledger, KIND, …)` and `rollout.note(KIND, …)`."""
    of = ast.unparse(function.value).rpartition(".")[2]
    if function.attr == "append" and of in _LEDGERS and len(call.args) == 2:
        return call.args[0]
    if function.attr == "once" and of == "record":
        return call.args[1]
    return call.args[0] if function.attr == "note" and of in ("rollout", "wave") else None


def _kinds(node: ast.expr | None, known: Mapping[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from _kinds(node.body, known)
        yield from _kinds(node.orelse, known)
    elif node is not None and (name := ast.unparse(node).rpartition(".")[2]) in known:
        yield known[name]
    elif isinstance(node, ast.Name):  # it was chosen before: one of those that have a name here
        yield from (value for value in known.values() if _DOTTED.fullmatch(value))


def _imported(tree: ast.Module, constants: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What is said elsewhere, imported by its own name or with its module, as in `pins.LOCK_MOVED`."""
    known: dict[str, str] = {}
    for node in (node for node in tree.body if isinstance(node, ast.ImportFrom)):
        for alias in node.names:
            known |= constants.get(f"{node.module}.{alias.name}", {})
            value = constants.get(str(node.module), {}).get(alias.name)
            known |= {alias.name: value} if value else {}
    return known


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            yield from _pairs([node.target], node.value)
        elif isinstance(node, ast.Assign):
            yield from _pairs(node.targets, node.value)


def _pairs(targets: list[ast.expr], value: ast.expr) -> Iterator[tuple[str, str]]:
    for target in targets:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        values = value.elts if isinstance(value, ast.Tuple) and isinstance(target, ast.Tuple) else [value]
        for name, one in zip(names, values, strict=False):
            if isinstance(name, ast.Name) and isinstance(one, ast.Constant) and isinstance(one.value, str):
                yield name.id, one.value
