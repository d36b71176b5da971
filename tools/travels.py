"""Which files travel to a target: the one list that the floor check and the architecture tests share."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "vitrify"
CORE = ("resource", "schema", "system", "difference", "digest", "event", "diagnostic", "wire", "step")
FOLDERS = ("resources", "onhost")


def travelling_files() -> list[Path]:
    """Every source file that the payload may hold, sorted."""
    core = [PACKAGE / "core" / f"{name}.py" for name in CORE]
    return sorted([*core, PACKAGE / "core" / "__init__.py", *(path for name in FOLDERS for path in (PACKAGE / name).rglob("*.py"))])
