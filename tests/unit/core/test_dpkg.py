"""Debian's database of packages is read as dpkg itself would read it."""

from __future__ import annotations

import pytest

from vitrify.core.dpkg import AUTOMATIC, STATUS, UPDATES, look, stanza
from vitrify.core.packaging import Package, Wanted
from vitrify.testing.memory_system import MemorySystem, Node


def system(status: str, *, updates: str = "", automatic: str = "") -> MemorySystem:
    found = MemorySystem()
    for path, text in ((STATUS, status), (f"{UPDATES}/0001", updates), (AUTOMATIC, automatic)):
        if text:
            found.put(path, Node("file", content=text.encode()))
    return found


def one(name: str, version: str = "1", *, state: str = "install ok installed", arch: str = "amd64", more: str = "") -> str:
    return f"Package: {name}\nStatus: {state}\nArchitecture: {arch}\nVersion: {version}\n{more}\n"


def test_a_stanza_keeps_the_lines_of_a_value() -> None:
    assert stanza("Package: a\nDescription: short\n long: er\n .\nVersion: 1:2") == {
        "Package": "a",
        "Description": "short\nlong: er\n.",
        "Version": "1:2",
    }


def test_the_native_architecture_goes_before_others() -> None:
    seen = look(["lib", "lib:i386", "lib:arm64"], system(one("lib", "3", arch="i386") + one("dpkg") + one("lib", "4")))

    assert [seen[name].version for name in ("lib", "lib:i386", "lib:arm64")] == ["4", "3", ""]


def test_what_dpkg_noted_last_counts() -> None:
    seen = look(["a"], system(one("a"), updates=one("a", "2", state="install ok unpacked")))

    assert seen["a"] == Package("2", "unpacked")


def test_marks_are_those_of_the_package_and_its_architecture() -> None:
    automatic = "Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: b\nArchitecture: amd64\nAuto-Installed: 0\n"
    status = one("dpkg") + one("a", arch="all") + one("b", state="hold ok installed")

    seen = look(["a", "b"], system(status, automatic=automatic))

    assert seen == {"a": Package("1", automatic=True), "b": Package("1", held=True)}


@pytest.mark.parametrize(("provides", "there"), [("mta", True), ("x, mta (= 1)", True), ("mta-x", False), ("x-mta, other", False)])
def test_a_name_is_provided_by_its_whole_name_alone(provides: str, there: bool) -> None:  # noqa: FBT001  a parameter of the test
    seen = look(["mta"], system(one("postfix", more=f"Provides: {provides}\n")))

    assert seen["mta"].there is there


def test_a_removed_package_remains_with_its_configuration() -> None:
    seen = look(["a"], system(one("a", state="deinstall ok config-files")))

    assert seen["a"] == Package(remains=True)
    assert Wanted("a", absent=True, purge=True).acts(seen["a"])
    assert not Wanted("a", absent=True).acts(seen["a"])
