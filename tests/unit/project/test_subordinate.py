"""What somebody who is not root may give files to, as the tables and the kernel of a machine say."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitrify.core.diagnostic import VitrifyError
from vitrify.project.subordinate import Ids, Place, granted, removed, tried


@pytest.fixture
def machine(tmp_path: Path) -> Place:
    """A machine that grants ada what she needs."""
    for folder in ("etc", "bin", "sys/user", "sys/kernel"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("subuid", "subgid"):
        (tmp_path / "etc" / name).write_text("bob:100000:65536\nada:165536:10\nada:231072:65536\n")
    for name in ("newuidmap", "newgidmap"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "sys/user/max_user_namespaces").write_text("15000\n")
    return Place(1000, "ada", tmp_path / "etc", tmp_path / "sys", str(tmp_path / "bin"))


def test_the_widest_range_of_a_user_is_taken(machine: Place) -> None:
    assert granted(machine).argv[-2:] == ("231072:65536", "231072:65536")


def test_a_range_may_be_given_to_a_number(machine: Place) -> None:
    for name in ("subuid", "subgid"):
        (machine.etc / name).write_text("1000:500000:70000\n")

    assert granted(machine).argv[-1] == "500000:70000"


def test_root_needs_none(machine: Place) -> None:
    assert not granted(Place(0, "root", machine.etc, machine.sys, machine.search)).granted


def test_who_lacks_the_programs_is_told_the_package(machine: Place) -> None:
    found = granted(Place(1000, "ada", machine.etc, machine.sys, "/nowhere"))

    assert (found.granted, found.hint) == (False, "as root: `apt install uidmap`")


@pytest.mark.parametrize(("table", "said"), [("", "no ids"), ("ada:1:1000\n", "1000 ids"), ("ada:one:65536\n", "no ids")])
def test_who_has_no_range_or_a_narrow_one_is_told_how_to_get_one(machine: Place, table: str, said: str) -> None:
    (machine.etc / "subgid").write_text(table)

    found = granted(machine)

    assert f"{machine.etc}/subgid gives ada {said}" in found.why
    assert found.hint == "as root: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ada`"


@pytest.mark.parametrize(
    ("setting", "value", "opened"),
    [
        ("user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
    ],
)
def test_a_kernel_that_forbids_it_is_named_with_the_setting(machine: Place, setting: str, value: str, opened: str) -> None:
    (machine.sys / setting).write_text(f"{value}\n")

    assert granted(machine).hint == f"as root: `sysctl -w {opened}`"


def test_what_does_not_start_is_not_granted() -> None:
    found = tried(Ids(("/bin/sh", "-c", "echo newuidmap: not allowed >&2; exit 1")))

    assert not found.granted
    assert "newuidmap: not allowed" in found.why


def test_a_folder_is_removed_whoever_owns_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "there/within").mkdir(parents=True)

    removed(str(tmp_path / "there"))
    removed(str(tmp_path / "there"))

    assert not (tmp_path / "there").exists()


def test_a_folder_that_stays_is_told() -> None:
    with pytest.raises(VitrifyError, match="/proc/self/attr cannot be removed"):  # nobody takes anything out of there
        removed("/proc/self/attr", ids=Ids)
