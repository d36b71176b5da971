"""Every port is a promise, and every promise has a suite that all its adapters run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Final

import pytest

from source import PACKAGE, ROOT, module, package, python_files

TOGETHER: Final[Mapping[str, str]] = {"Session": "TransportSuite"}
"""Ports whose promises are checked by the suite of another: a session is what a transport is for."""

TRIVIAL: Final[Mapping[str, str]] = {
    "Clock": "three methods that hand on what the operating system says: there is nothing to disagree about",
    "Secrets": "one method with one adapter; its promise to keep silent is tested with that adapter",
}
"""Ports without a suite, each with its reason."""


def ports() -> list[str]:
    """Every protocol in `ports.py`."""
    tree = module(PACKAGE / "ports.py").tree
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases)]


def suites() -> list[tuple[str, str]]:
    """Each port that needs a suite, and what the suite is called: `RouterSuite` for `Router`."""
    return [(port, TOGETHER.get(port, f"{port}Suite")) for port in ports() if port not in TRIVIAL]


def _names(classes: Iterable[ast.ClassDef]) -> set[str]:
    return {node.name for node in classes}


def test_every_port_that_needs_no_suite_is_a_port() -> None:
    assert {*TRIVIAL, *TOGETHER} <= set(ports())


@pytest.mark.parametrize(("port", "suite"), suites())
def test_every_port_has_a_public_suite(port: str, suite: str) -> None:
    testing = [found for found in package() if PACKAGE / "testing" in found.path.parents]

    written = [found for found in testing if suite in _names(found.classes())]

    assert written, f"no module of vitrify.testing has a {suite}, which would say what every {port} promises"


@pytest.mark.parametrize(("port", "suite"), suites())
def test_a_conformance_test_runs_the_suite(port: str, suite: str) -> None:
    lane = [found for found in python_files() if ROOT / "tests" / "conformance" in found.path.parents]

    runs = [node.name for found in lane for node in found.classes() if suite in {ast.unparse(base) for base in node.bases}]

    assert runs, f"no test in tests/conformance is a subclass of {suite}: no adapter of {port} keeps its promises on record"
