"""Finds every crash point in the source, so that no list of them is kept by hand.

Each side effect reports `NAME.intent`, `NAME.act` and `NAME.outcome` (`vitrify.core.step`), and an append to the ledger
each of its synced writes. The names are read from the
calls themselves: a step that is added without a crash test then shows as a name that no test has reached.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from source import Module, package

MOMENTS = ("intent", "act", "outcome")


def steps_in_source() -> frozenset[str]:
    """All crash points that the source can reach: `NAME.intent`, `NAME.act`, `NAME.outcome`, and `ledger.WRITE`."""
    return frozenset(point for found in package() for point in points(found))


def points(found: Module) -> Iterator[str]:
    """The crash points of one module, from two spellings.

    `….step("NAME", …)` stands for the three moments; `reached("NAME.act")` names one itself.
    """
    for node in ast.walk(found.tree):
        if not (isinstance(node, ast.Call) and node.args):
            continue
        first = node.args[0]
        if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
            continue
        if is_step(node):
            yield from (f"{first.value}.{moment}" for moment in MOMENTS)
        elif is_reached(node):
            yield first.value


def is_step(node: ast.Call) -> bool:
    """Whether this is `….step(…)`: a side effect with all three moments."""
    return isinstance(node.func, ast.Attribute) and node.func.attr == "step"


def is_reached(node: ast.Call) -> bool:
    """Whether this reports one crash point."""
    return ast.unparse(node.func).rpartition(".")[2] in {"reached", "_reached"}
