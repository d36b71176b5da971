"""What travels runs on Python 3.9: the oldest that a supported Debian gives as /usr/bin/python3."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from tools.travels import travelling_files

from source import module

TRAVELLERS = [path for path in travelling_files() if module(path).text.strip()]


@pytest.mark.parametrize("path", TRAVELLERS, ids=lambda path: path.stem)
def test_a_travelling_file_is_written_in_the_grammar_of_python_3_9(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), filename=str(path), feature_version=(3, 9))


def test_nothing_that_travels_needs_a_library_newer_than_python_3_9() -> None:
    command = [sys.executable, "-c", "from vermin import main; main()", "--target=3.9-", "--violations", "--no-tips", *map(str, TRAVELLERS)]

    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", TRAVELLERS, ids=lambda path: path.stem)
def test_a_travelling_file_defers_its_annotations(path: Path) -> None:
    # `X | Y` and `list[X]` in annotations are harmless on 3.9 only while nobody evaluates them.
    traveller = module(path)
    annotated = any(isinstance(node, ast.AnnAssign | ast.arg | ast.FunctionDef) for node in ast.walk(traveller.tree))

    assert not annotated or "__future__.annotations" in set(traveller.imports()), f"{traveller.place} lacks the import"
