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
from vitrify.testing.account_programs import furnished, host_over, lacking
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


def chosen(*needs: str) -> list[Fixture]:
    return [fixture for fixture in FIXTURES if fixture.needs == frozenset(needs)]


@pytest.mark.parametrize("make", [folder, image, host], ids=lambda make: make.__name__)
@pytest.mark.parametrize("fixture", chosen(), ids=lambda fixture: fixture.name)
def test_a_kind_does_on_a_real_tree_what_its_fixture_says(fixture: Fixture, make: Callable[[Path, Blob], System], tmp_path: Path) -> None:
    def system(contents: Mapping[str, bytes]) -> System:
        return make(tmp_path, contents.__getitem__)

    run_fixture(fixture, system, kinds=KINDS)


@pytest.mark.parametrize("make", [folder, image], ids=lambda make: make.__name__)
@pytest.mark.parametrize("fixture", chosen("accounts"), ids=lambda fixture: fixture.name)
def test_an_account_is_written_as_its_fixture_says(fixture: Fixture, make: Callable[[Path, Blob], System], tmp_path: Path) -> None:
    run_fixture(fixture, lambda contents: make(tmp_path, contents.__getitem__), kinds=KINDS)


@pytest.mark.root
@pytest.mark.parametrize("fixture", chosen("accounts"), ids=lambda fixture: fixture.name)
def test_the_programs_of_a_host_write_the_same(fixture: Fixture, tmp_path: Path) -> None:
    if os.geteuid() != 0 or lacking():
        pytest.skip("accounts of a host are kept by root, with the programs of the Debian package passwd")
    root = furnished(tmp_path)

    run_fixture(fixture, lambda contents: host_over(root, contents.__getitem__), kinds=KINDS)
