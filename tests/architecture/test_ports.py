"""Every port is a promise, and every promise has a suite that all its adapters run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Final

import pytest

from source import PACKAGE, ROOT, module

SUITES: Final[Mapping[str, str]] = {
    "Session": "transport",
    "Transport": "transport",
    "Builder": "builder",
    "Runtime": "runtime",
    "Router": "router",
    "StateStore": "state",
    "ImageStore": "images",
}
"""Port -> module of `vitrify.testing` that holds its conformance suite."""

TRIVIAL: Final[Mapping[str, str]] = {
    "Clock": "two methods that hand on what the operating system says: there is nothing to disagree about",
    "Secrets": "one method with one adapter; its promise to keep silent is tested with that adapter",
}
"""Ports without a suite, each with its reason."""


def ports() -> set[str]:
    """Every protocol in `ports.py`."""
    tree = module(PACKAGE / "ports.py").tree
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases)}


def test_every_port_has_a_suite_or_a_reason() -> None:
    assert ports() == set(SUITES) | set(TRIVIAL)


@pytest.mark.parametrize(("port", "suite"), sorted(SUITES.items()))
def test_the_suite_of_a_port_is_public_and_speaks_of_it(port: str, suite: str) -> None:
    path = PACKAGE / "testing" / f"{suite}.py"
    assert path.is_file(), f"the port {port} has no suite"

    found = module(path)

    assert f"vitrify.ports.{port}" in set(found.imports())


@pytest.mark.parametrize("suite", sorted(set(SUITES.values())))
def test_a_conformance_test_runs_the_suite(suite: str) -> None:
    lane = [module(path) for path in (ROOT / "tests" / "conformance").glob("test_*.py")]

    assert [found.place for found in lane if f"vitrify.testing.{suite}" in set(found.imports())]
