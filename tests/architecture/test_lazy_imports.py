"""Help, version and usage errors come at once: nothing heavy is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "pydantic",
    "jinja2",
    "rich",
    "yaml",
    "asyncio",
    "cryptography",
    "platformdirs",
    "vitrify.app",
    "vitrify.project",
    "vitrify.lifecycle",
}

IMPORTED = """
import sys
from vitrify.cli.main import main
sys.argv = ["vitrify", *sys.argv[1:]]
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""
AT_ONCE = [("--help",), ("version",), ("--version",), ("apply", "-h"), ("plan", "--bogus"), ("ledger",), ()]


@pytest.mark.parametrize("arguments", AT_ONCE, ids=" ".join)
def test_nothing_heavy_is_imported_before_it_is_needed(arguments: tuple[str, ...]) -> None:
    assert "vitrify.cli.main" in _imported(*arguments)
    assert not HEAVY & _imported(*arguments)


def test_help_imports_no_verb() -> None:
    assert not {"vitrify.cli.plan", "vitrify.cli.audit", "vitrify.core.plan"} & _imported("--help")


def _imported(*arguments: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", IMPORTED, *arguments], capture_output=True, text=True, check=False)
    return set(done.stderr.splitlines()[-1].split())
