"""Finds the declaration of a project."""

from __future__ import annotations

from pathlib import Path

from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, Location, UsageInvalid

NAME = "vitrify.yaml"
PYTHON = "vitrify.py"


def find(folder: str) -> Path:
    """The declaration in this folder or the nearest one above it; UsageInvalid where there is none."""
    start = Path(folder)
    if not start.is_dir():
        raise UsageInvalid(f"{folder} is not a folder", hint=f"-C/--project takes the folder that holds {NAME}")
    for above in (start, *start.resolve().parents):
        found = [above / name for name in (NAME, PYTHON) if (above / name).is_file()]
        if len(found) > 1:
            raise DeclarationInvalid([_two(found[1])])
        if found:
            return found[0]
    raise UsageInvalid(f"there is no {NAME} or {PYTHON} in {start.resolve()} or above it", hint="`vitrify init` writes one to start from")


def _two(path: Path) -> Diagnostic:
    return Diagnostic(
        f"a project has one declaration, and there is a {NAME} beside it", Location(str(path), 1, 1), hint="take out one of the two"
    )
