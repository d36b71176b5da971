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


def test_a_look_at_hosts_reads_no_story_of_images() -> None:
    assert not {"vitrify.lifecycle.immutable", "vitrify.lifecycle.rollout"} & _brought_along("vitrify.lifecycle.fleet")


def test_a_payload_that_looks_at_a_host_brings_along_nothing_of_the_network() -> None:
    assert not {"http.client", "ssl", "email", "platform", "asyncio"} & _brought_along("vitrify.onhost.runner", "vitrify.onhost.converge")


def test_verbs_that_call_hosts_import_what_draws_their_answer_afterwards() -> None:
    assert not {"vitrify.cli.render_plan", "vitrify.cli.render_report"} & _brought_along("vitrify.cli.plan", "vitrify.cli.apply")


def test_the_library_that_spells_metrics_comes_with_serve_alone_and_there_only_to_tell_them() -> None:
    assert "prometheus_client" not in _brought_along("vitrify.app", "vitrify.app.serving", "vitrify.cli.serve")


def _brought_along(*modules: str) -> set[str]:
    program = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())
