"""What the command line needs at once must not pull in what costs a quarter of a second."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"pydantic", "jinja2", "yaml"}


@pytest.mark.parametrize("module", ["vitrify.project.find", "vitrify.project.identity", "vitrify.project.load", "vitrify.project.starter"])
def test_finding_a_project_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()

    assert module in loaded
    assert not HEAVY & set(loaded)
