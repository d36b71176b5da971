"""A live host, a folder and an image are one system to a kind: each passes the same suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vitrify.core.system import Attributes, System, Target
from vitrify.onhost.accounts import RootAccounts
from vitrify.onhost.beneath import Beneath
from vitrify.onhost.facts import content_of, facts_of
from vitrify.onhost.programs import Direct
from vitrify.onhost.root import folder_system, image_system
from vitrify.onhost.rooted import Rooted, Surroundings
from vitrify.onhost.sidecar import Sidecar
from vitrify.testing.system_suite import KEY, NONE, Open, SystemSuite, blob


def host_in_a_folder(root: Path) -> Rooted:
    """All that makes a host but that its root is `/`, which no test may write to."""
    beneath = Beneath([str(root)])
    accounts = RootAccounts(lambda path: content_of(beneath, path), lambda path: ((root / path[1:]).stat().st_mtime_ns,))
    around = Surroundings(
        target=Target.HOST,
        accounts=accounts,
        programs=Direct(accounts),
        sidecar=None if os.geteuid() == 0 else Sidecar({}),
        blob=blob,
        key=KEY,
        facts=lambda: facts_of(beneath, hostname="here"),
        service_manager=lambda: False,
    )
    return Rooted(beneath, around)


class TestHost(SystemSuite):
    @pytest.fixture
    def at(self) -> Open:
        return host_in_a_folder


class TestFolder(SystemSuite):
    @pytest.fixture
    def at(self) -> Open:
        return lambda root: folder_system(str(root), sidecar=None if os.geteuid() == 0 else Sidecar({}), bwrap="", blob=blob, key=KEY)


class TestFolderOfAPlainUser(SystemSuite):
    @pytest.fixture
    def at(self) -> Open:
        return lambda root: folder_system(str(root), sidecar=Sidecar({}), bwrap="", blob=blob, key=KEY)


class TestImageFromScratch(SystemSuite):
    @pytest.fixture
    def at(self) -> Open:
        return lambda root: image_system(str(root), [], bwrap="", blob=blob, key=KEY)


class TestImageUponABase(SystemSuite):
    """Everything in the tree comes from the layer below, and stays as it was there."""

    @pytest.fixture
    def at(self, tmp_path: Path) -> Open:
        upper = tmp_path / "upper"
        upper.mkdir(exist_ok=True)
        return lambda root: image_system(str(upper), [str(root)], bwrap="", blob=blob, key=KEY)

    def test_the_layer_below_is_never_written_to(self, system: System, root: Path) -> None:
        system.write("/etc/motd", b"changed", attributes=NONE)
        system.set_attributes("/etc/passwd", Attributes(mode="0600"))
        system.remove("/etc/group")

        assert (root / "etc/motd").read_bytes() == b"hello\n"
        assert (root / "etc/passwd").stat().st_mode & 0o777 == 0o644
        assert (root / "etc/group").exists()
        assert system.names("/etc") == ("link", "motd", "passwd")

    def test_a_folder_made_where_one_was_removed_shows_nothing_of_it(self, system: System, root: Path) -> None:
        for name in ("one", "two"):
            (root / "old").mkdir(exist_ok=True)
            (root / "old" / name).write_text(name)
        for name in ("one", "two"):
            system.remove(f"/old/{name}")
        system.remove("/old")
        assert system.stat("/old") is None

        system.make_directory("/old", attributes=NONE)

        assert system.names("/old") == ()

    def test_folders_on_the_way_keep_their_mode(self, system: System, root: Path) -> None:
        (root / "private").mkdir(mode=0o750)

        system.write("/private/new", b"", attributes=NONE)

        found = system.stat("/private")
        assert found
        assert found.mode == "0750"


class TestImageUponTwoLayers(SystemSuite):
    @pytest.fixture
    def at(self, tmp_path: Path) -> Open:
        upper, between = tmp_path / "upper", tmp_path / "between"
        (between / "etc").mkdir(parents=True, exist_ok=True)
        upper.mkdir(exist_ok=True)
        return lambda root: image_system(str(upper), [str(between), str(root)], bwrap="", blob=blob, key=KEY)
