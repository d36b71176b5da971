"""Projects that end with their test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tests.unit.app.signing import Team

import debs
import packaged
from disks import Disks, apart
from fleet import Control, Fleet, lacking_ssh
from live_host import LiveHost, booted, lacking, tree
from shop import Shop

BuildShop = Callable[..., Shop]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that no worker is left alone with it; what judges others comes at the end."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    return 2 if item.get_closest_marker("last") else 0 if item.get_closest_marker("slow") else 1


@pytest.fixture(scope="session")
def payloads_of_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where homes find the payload, unpacked and compiled once: its name says what is in it."""
    return tmp_path_factory.mktemp("payload")


@pytest.fixture
def build_shop(tmp_path: Path, payloads_of_all: Path) -> Iterator[BuildShop]:
    """Builds a project; whatever it started is ended afterwards."""
    built: list[Shop] = []

    def build(**more: str) -> Shop:
        shop = Shop.build(tmp_path / f"shop{len(built)}" / "project", **more)
        shop.home.mkdir()
        (shop.home / "payload").symlink_to(payloads_of_all)
        built.append(shop)
        return shop

    yield build
    for shop in built:
        shop.clear()


@pytest.fixture
def disks() -> Iterator[Disks]:
    """A mount namespace that ends with the test, and its filesystems with it."""
    with apart() as disks:
        yield disks


@pytest.fixture(scope="session")
def debian() -> Path:
    """The files that machines are started from, made once."""
    if reason := lacking():
        pytest.skip(reason)
    return tree()


@pytest.fixture
def live_host(tmp_path: Path, debian: Path) -> Iterator[LiveHost]:
    """A new Debian machine with systemd; gone afterwards, with all that runs on it."""
    with booted(tmp_path / "live", files=debian) as host:
        yield host


@pytest.fixture
def site(live_host: LiveHost, tmp_path: Path) -> packaged.Site:
    """A new machine whose apt knows one repository, made by the test."""
    if reason := debs.lacking():
        pytest.skip(reason)
    return packaged.ready(live_host, tmp_path / "keys")


@pytest.fixture
def bare_site(live_host: LiveHost, tmp_path: Path) -> packaged.Site:
    """The same, but its apt knows no repository yet."""
    if reason := debs.lacking():
        pytest.skip(reason)
    return packaged.bare(live_host, tmp_path / "keys")


@pytest.fixture
def fleet(tmp_path: Path, debian: Path) -> Iterator[Fleet]:
    """Machines that answer SSH, started as the test asks for them."""
    del debian  # it is there by now, before the test's own time begins
    if reason := lacking_ssh():
        pytest.skip(reason)
    fleet = Fleet.begin(tmp_path / "fleet")
    yield fleet
    fleet.close()


@pytest.fixture
def control(tmp_path: Path, fleet: Fleet) -> Control:
    """A control machine with an empty project."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Control(folder, tmp_path / "home", fleet.runtime)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    """Several people of their own keys, who work on one project."""
    return Team(tmp_path)
