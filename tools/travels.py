"""Which files travel to a target: all of `resources` and `onhost`, and whatever of `core` these import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "vitrify"
FOLDERS = ("resources", "onhost")


def travelling_files() -> list[Path]:
    """Every source file that a target runs, sorted."""
    found: set[Path] = set()
    waiting = [path for name in FOLDERS for path in (PACKAGE / name).rglob("*.py")]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _from_core(path)
    return sorted(found)


def _from_core(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            module = PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py")
            if name.startswith("vitrify.core.") and module.exists():
                yield module
