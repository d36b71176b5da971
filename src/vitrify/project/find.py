"""Finds the declaration of a project."""

from __future__ import annotations

from pathlib import Path

from vitrify.core.diagnostic import UsageInvalid

NAME = "vitrify.yaml"


def find(folder: str) -> Path:
    """The declaration in this folder or the nearest one above it; UsageInvalid where there is none."""
    start = Path(folder)
    if not start.is_dir():
        raise UsageInvalid(f"{folder} is not a folder", hint="-C/--project takes the folder that holds vitrify.yaml")
    if (start / NAME).is_file():
        return start / NAME
    for above in start.resolve().parents:
        if (above / NAME).is_file():
            return above / NAME
    raise UsageInvalid(f"there is no {NAME} in {start.resolve()} or above it", hint="`vitrify init` writes one to start from")
