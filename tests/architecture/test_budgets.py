"""Sizes: no file so long that nobody reads it, no function that does not fit a screen."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from source import Function, package, python_files, tracked

LONGEST_FILE = 400
LONGEST_FUNCTION = 40


def test_no_file_is_longer_than_400_lines(record_property: Callable[[str, object], None]) -> None:
    lengths = {found.place: len(found.text.splitlines()) for found in python_files()}
    ours = [len(found.text.splitlines()) for found in package()]
    record_property("note", f"source files: {len(ours)}, median {median(ours):.0f} lines, longest {max(ours)}")

    assert not {place: length for place, length in lengths.items() if length > LONGEST_FILE}


def test_no_function_is_longer_than_40_lines(record_property: Callable[[str, object], None]) -> None:
    lengths = {f"{found.place}: {function.name}": _length(function) for found in python_files() for function in found.functions()}
    ours = [_length(function) for found in package() for function in found.functions()]
    record_property("note", f"source functions: {len(ours)}, median {median(ours):.0f} lines, longest {max(ours)}")

    assert not {place: length for place, length in lengths.items() if length > LONGEST_FUNCTION}


def _length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_no_idea_is_split_over_numbered_files() -> None:
    numbered = {path.name for path in tracked() if path.suffix == ".py" and path.stem[-1:].isdigit() and path.stem != "test_python39"}

    assert not numbered


def test_no_file_is_named_for_nothing_in_particular() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}

    assert not {found.place for found in python_files() if vague & set(found.path.stem.split("_"))}
