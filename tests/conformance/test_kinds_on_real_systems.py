"""Every fixture of every kind on real trees: a folder, an image being baked, and a host whose root is a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from vitrify.core.system import System, Target
from vitrify.onhost.accounts import HostAccounts
from vitrify.onhost.beneath import Beneath
from vitrify.onhost.programs import Direct
from vitrify.onhost.root import folder_system, image_system
from vitrify.onhost.rooted import Rooted, Surroundings
from vitrify.onhost.sidecar import Sidecar
from vitrify.resources.registry import all_kinds
from vitrify.testing.kind_fixtures import KEY, Fixture, read_fixture, run_fixture

KINDS = all_kinds()
FIXTURES = [read_fixture(path, KINDS) for path in sorted((Path(__file__).resolve().parents[1] / "kinds").glob("*/*.toml"))]
Blob = Callable[[str], bytes]


def folder(root: Path, blob: Blob) -> System:
    return folder_system(str(root), sidecar=Sidecar({}), bwrap="", blob=blob, key=KEY)


def image(root: Path, blob: Blob) -> System:
    return image_system(str(root), [], bwrap="", blob=blob, key=KEY)


def host(root: Path, blob: Blob) -> System:
    accounts = HostAccounts()
    around = Surroundings(
        target=Target.HOST,
        accounts=accounts,
        programs=Direct(accounts),
        sidecar=None if os.geteuid() == 0 else Sidecar({}),
        blob=blob,
        key=KEY,
        facts=dict,
        service_manager=lambda: False,
    )
    return Rooted(Beneath([str(root)]), around)


@pytest.mark.parametrize("make", [folder, image, host], ids=lambda make: make.__name__)
@pytest.mark.parametrize("fixture", [fixture for fixture in FIXTURES if not fixture.needs], ids=lambda fixture: fixture.name)
def test_a_kind_does_on_a_real_tree_what_its_fixture_says(fixture: Fixture, make: Callable[[Path, Blob], System], tmp_path: Path) -> None:
    def system(contents: Mapping[str, bytes]) -> System:
        return make(tmp_path, contents.__getitem__)

    run_fixture(fixture, system, kinds=KINDS)
