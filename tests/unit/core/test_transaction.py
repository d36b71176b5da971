"""What dnf's simulation says is read as it is.

The output was captured from dnf 4.14.0 of Debian 12, run as `dnf --cacheonly --assumeno …` with LC_ALL=C and a database of rpm of its own,
against packages made with rpmbuild and indexed with createrepo_c; the lines with another architecture and `replacing` are written in the
same columns.
"""

from __future__ import annotations

import pytest

from vitrify.core import rpmdb
from vitrify.core.packaging import Effect
from vitrify.core.redhat import Dnf
from vitrify.core.rpmrepo import text
from vitrify.core.system import Completed, Target
from vitrify.core.transaction import complaint, records, steps, unknown
from vitrify.testing.memory_system import MemorySystem, Node

OUTPUT = """\
Last metadata expiration check: 0:00:01 ago on Wed Nov 25 14:14:14 2026.
Dependencies resolved.
================================================================================
 Package            Architecture      Version             Repository       Size
================================================================================
Installing:
 clash              noarch            1.0-1               shop            5.4 k
     replacing  older.noarch 0.9-1
 glibc              i686              2:2.34-1            shop            6.0 M
Upgrading:
 foo                noarch            2.0-1               shop            6.0 k
Installing weak dependencies:
 foo-doc            noarch            1.0-1               shop            5.4 k
Removing dependent packages:
 needy              noarch            1.0-1               @shop               2  
Removing unused dependencies:
 libfoo             noarch            1.0-1               @shop               0  

Transaction Summary
================================================================================
Install  3 Packages
Upgrade  1 Package
Remove   2 Packages

Total size: 22 k
Operation aborted.
"""  # noqa: W291  dnf fills the last column with spaces
REFUSED = """\
Unable to detect release version (use '--releasever' to specify release version)
Error: 
 Problem: conflicting requests
  - nothing provides nothing-has-this needed by broken-1.0-1.noarch
(try to add '--skip-broken' to skip uninstallable packages)
"""  # noqa: W291  as it came
QUERIED = """\
@@ foo 1.0-1
@R
libfoo >= 1.0
foo-doc
@P
config(foo) = 1.0-1
foo = 1.0-1

@@ virt 2:1.0-1
@R


@P
mail-agent
virt = 2:1.0-1
"""


def test_a_simulation_of_dnf_is_read_row_by_row() -> None:
    found = steps(OUTPUT, native="x86_64", installed={"foo": "1.0-1"})

    assert [(str(step.effect), step.unused) for step in found] == [
        ("install clash 1.0-1", False),
        ("remove older 0.9-1", False),
        ("install glibc:i686 2:2.34-1", False),
        ("change foo 1.0-1 2.0-1", False),
        ("install foo-doc 1.0-1", False),
        ("remove needy 1.0-1", False),
        ("remove libfoo 1.0-1", True),
    ]
    assert found[5].effect == Effect("remove", "needy", old="1.0-1")


def test_why_dnf_refuses_is_told_in_its_own_words() -> None:
    assert complaint(REFUSED) == "Problem: conflicting requests; nothing provides nothing-has-this needed by broken-1.0-1.noarch"
    assert unknown("No match for argument: nothere\nError: Unable to find a match: nothere other") == ("nothere", "other")


def test_what_packages_need_and_provide_is_read_by_name() -> None:
    foo, virt = records(QUERIED, to_be_had=True)

    assert (foo.name, foo.version, foo.needs) == ("foo", "1.0-1", frozenset({"libfoo", "foo-doc"}))
    assert (virt.version, virt.needs, virt.provides) == ("2:1.0-1", frozenset(), frozenset({"mail-agent", "virt"}))


@pytest.mark.parametrize(
    ("target", "status", "link", "expected"),
    [
        (Target.HOST, None, "dnf-3", True),
        (Target.HOST, b"", "dnf-3", True),
        (Target.HOST, b"Package: dpkg\n", "dnf-3", False),
        (Target.HOST, None, "dnf5", False),
        (Target.IMAGE, None, "dnf-3", False),
    ],
)
def test_a_host_is_dnfs_only_where_dpkg_owns_nothing(target: Target, status: bytes | None, link: str, *, expected: bool) -> None:
    system = MemorySystem(target=target)
    system.put("/usr/bin/dnf", Node("link", to=link))
    if status is not None:
        system.put("/var/lib/dpkg/status", Node("file", content=status))

    assert Dnf().present(system) is expected


def test_a_package_is_held_where_the_list_of_versionlock_names_it() -> None:
    said = "libfoo\t0\t1.0-1\tnoarch\t5\nfoo\t2\t1.0-1\tnoarch\t5\npackage bar is not installed\n"
    system = MemorySystem(programs={"rpm": lambda _, command: Completed(0, said if "foo" in command.argv else "", "")})
    system.put(rpmdb.LOCKS, Node("file", content=b"# Added lock on Wed Nov 25 14:15:13 2026\nfoo-2:1.0-1.*\n!other-0:1-1.*\n"))

    found = rpmdb.look(["foo", "libfoo", "bar"], frozenset({"libfoo"}), system)

    assert (found["foo"].version, found["foo"].held, found["foo"].automatic) == ("2:1.0-1", True, False)
    assert (found["libfoo"].held, found["libfoo"].automatic, found["bar"].there) == (False, True, False)


def test_a_repository_of_rpm_packages_wants_signatures_with_and_without_a_key() -> None:
    assert text("shop", ["file:/a", "https://b"], keyed=False, enabled=False) == (
        "[shop]\nname=shop\nbaseurl=file:/a\n        https://b\nenabled=0\ngpgcheck=1\n"
    )
    assert text("shop", ["file:/a"], keyed=True, enabled=True).endswith("gpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-shop\n")
