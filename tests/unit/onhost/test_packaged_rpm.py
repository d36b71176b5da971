"""What rpm says of the files of packages, read from what its program prints."""

from __future__ import annotations

import hashlib

import pytest

from vitrify.core.system import Command, Completed
from vitrify.onhost.packaged import Different, Judged, held
from vitrify.onhost.packaged_rpm import RpmPackages
from vitrify.onhost.packagers import packages_of
from vitrify.testing.memory_system import MemorySystem, Node

ALL = """@\tgpg-pubkey\t0\t1-1\t(none)
(none)
@\tfoo\t0\t2.0-1\tnoarch
/etc/foo.conf
/bin/foo
/usr/lib/foo
/usr/lib/foo/link
@\tkernel\t0\t6.1-1\tx86_64
/boot/vmlinuz-6.1
@\tkernel\t0\t6.2-1\tx86_64
/boot/vmlinuz-6.2
@\tlone\t2\t1.0-1\tnoarch
"""
VERIFIED = """SM5....T.  c /etc/foo.conf
.......T.    /usr/lib/foo
missing     /usr/lib/foo/gone
......G.P    /usr/lib/foo/wrong
"""


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _rpm(_: MemorySystem, command: Command) -> Completed:
    if command.argv[1] == "-qa":
        return Completed(0, ALL, "")
    if command.argv[1] == "--verify":
        return Completed(1, VERIFIED, "")
    files = (
        ("/bin/foo", _sha256("new"), ""),
        ("/etc/foo.conf", _sha256("a=1"), ""),
        ("/usr/lib/foo", "", ""),
        ("/usr/lib/foo/link", "", "../../bin/foo"),
    )
    return Completed(0, "".join(f"{path}\t{digest}\t{link}\n" for path, digest, link in files), "")


@pytest.fixture
def system() -> MemorySystem:
    system = MemorySystem(programs={"/usr/bin/rpm": _rpm})
    system.put("/usr/bin/rpm", Node("file", "0755"))
    system.put("/usr/lib/sysimage/rpm/rpmdb.sqlite", Node("file"))
    system.put("/bin", Node("link", to="usr/bin"))
    system.put("/usr/bin/foo", Node("file", content=b"new"))
    return system


def _judged(system: MemorySystem, path: str, **now: str) -> Judged:
    entry = {"type": "file", "mode": "0755", **now}
    return RpmPackages(system).judged("foo", Different(path, None, {**entry}, {"/usr/bin/foo"}))


def test_every_package_is_told_with_its_paths_where_they_really_are(system: MemorySystem) -> None:
    packages = RpmPackages(system)

    assert packages.versions == {"foo": "2.0-1", "kernel": "6.1-1, 6.2-1", "lone": "2:1.0-1"}
    assert packages.paths("foo") == ("/etc/foo.conf", "/usr/bin/foo", "/usr/lib/foo", "/usr/lib/foo/link")
    assert packages.paths("kernel") == ("/boot/vmlinuz-6.1", "/boot/vmlinuz-6.2")
    assert held(packages, ["/etc"])["foo"].paths == ("/etc/foo.conf",)


def test_a_file_is_as_it_came_where_its_digest_is_and_rpm_finds_nothing_wrong(system: MemorySystem) -> None:
    assert _judged(system, "/usr/bin/foo") == Judged(same=True, why="is as rpm has it")

    system.put("/usr/bin/foo", Node("file", content=b"backdoor"))
    assert _judged(system, "/usr/bin/foo") == Judged(same=False, why="belongs to it, and is not as its digest says")


@pytest.mark.parametrize(("path", "letters"), [("/etc/foo.conf", "SM5....T."), ("/usr/lib/foo/wrong", "......G.P")])
def test_what_rpm_verifies_otherwise_is_told_in_its_letters(system: MemorySystem, path: str, letters: str) -> None:
    assert _judged(system, path).why == f"belongs to it, and rpm verifies it otherwise: {letters}"


def test_a_folder_with_another_time_is_as_it_came(system: MemorySystem) -> None:
    assert _judged(system, "/usr/lib/foo", type="directory").same


@pytest.mark.parametrize(("to", "same"), [("../../bin/foo", True), ("/tmp/evil", False)])
def test_a_link_is_as_it_came_where_it_leads_to_the_same(system: MemorySystem, to: str, *, same: bool) -> None:
    assert _judged(system, "/usr/lib/foo/link", type="link", link=to).same is same


def test_dpkg_is_asked_first_and_a_system_without_packages_has_none(system: MemorySystem) -> None:
    found = packages_of(system)
    assert found is not None
    assert found.manager == "rpm"
    system.put("/var/lib/dpkg/status", Node("file", content=b"Package: a\nStatus: install ok installed\nVersion: 1\n"))
    system.put("/var/lib/dpkg/info/a.list", Node("file", content=b"/usr/bin/foo\n"))
    found = packages_of(system)
    assert found is not None
    assert found.manager == "dpkg"
    assert packages_of(MemorySystem()) is None


def test_where_rpm_cannot_be_asked_nothing_is_explained_and_nothing_fails() -> None:
    system = MemorySystem()
    system.put("/usr/bin/rpm", Node("file", "0755"))
    system.put("/var/lib/rpm/rpmdb.sqlite", Node("file"))

    assert packages_of(system) is None
