"""Every fixture of every kind, on a system in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from vitrify.core.system import System, Target
from vitrify.resources.registry import all_kinds
from vitrify.testing.kind_fixtures import KEY, read_fixture, run_fixture
from vitrify.testing.memory_programs import MemoryAcl, MemorySystemctl, programs
from vitrify.testing.memory_system import MemorySystem

FOLDER = Path(__file__).resolve().parents[1] / "kinds"
FIXTURES = sorted(FOLDER.glob("*/*.toml"))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_kind_does_what_its_fixture_says(path: Path) -> None:
    kinds = all_kinds()
    fixture = read_fixture(path, kinds)
    services = {"systemctl": MemorySystemctl()} if "services" in fixture.needs else {}
    lists = MemoryAcl().programs() if "acl" in fixture.needs else {}

    def make(contents: Mapping[str, bytes]) -> System:
        target = Target.HOST if services else Target.FOLDER
        return MemorySystem(target=target, blobs=contents, key=KEY, programs={**programs(), **services, **lists})

    run_fixture(fixture, make, kinds=kinds)


TRIED = {
    "npm": "e2e/test_npm_kind.py",
    "postgres_database": "e2e/test_postgres_kinds.py",
    "postgres_user": "e2e/test_postgres_kinds.py",
}
"""Kinds that are nothing without a server or a registry: they are tried with the real one, in this file."""


def test_a_kind_without_fixtures_is_tried_with_its_server() -> None:
    assert all(kind in all_kinds() and (FOLDER.parent / place).is_file() for kind, place in TRIED.items())


@pytest.mark.parametrize("kind", sorted({*all_kinds().names()} - {*TRIED}))
def test_every_kind_has_at_least_six_fixtures(kind: str) -> None:
    assert len([path for path in FIXTURES if path.parent.name == kind]) >= 6


def test_no_fixture_is_for_an_unknown_kind() -> None:
    assert {path.parent.name for path in FIXTURES} | {*TRIED} == set(all_kinds().names())
