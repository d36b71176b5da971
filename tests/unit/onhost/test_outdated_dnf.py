"""What dnf's own answers say of packages that are behind."""

from __future__ import annotations

from datetime import UTC, datetime

from vitrify.core.digest import JSON
from vitrify.core.system import Command, Completed
from vitrify.onhost.outdated_dnf import behind
from vitrify.testing.memory_system import MemorySystem, Node

INSTALLED = "foo\t0\t1.0-1\tnoarch\t1000\nlib-a\t2\t1.0-1\tx86_64\t2000\nlib-a\t2\t1.0-1\ti686\t1500\n"
OFFERED = "foo\t2.0-1\tnoarch\tshop\t2026-01-02 03:04\nlib-a\t2:1.1-1\ti686\tupdates\t2026-02-03 04:05\nother\t1-1\tnoarch\tshop\t-\n"
LISTED = "SHOP-1 Important/Sec. lib-a-2:1.1-1.i686\nSHOP-2 bugfix         foo-2.0-1.noarch\nSHOP-3 security foo-1.5-1.noarch\n"
TOLD = """===============
  A title
===============
  Update ID: SHOP-2
       Type: bugfix
    Updated: 2026-01-05 00:00:00
Description: one
===============
  Update ID: SHOP-3
       Type: security
Description: without a date
===============
  Update ID: SHOP-1
       Type: security
    Updated: 2026-02-04 00:00:00
"""


def _dnf(_: MemorySystem, command: Command) -> Completed:
    words = command.argv
    return Completed(0, OFFERED if "repoquery" in words else LISTED if "list" in words else TOLD, "")


def _host(*, cached: bool = True) -> MemorySystem:
    system = MemorySystem(programs={"rpm": lambda _, __: Completed(0, INSTALLED, ""), "/usr/bin/dnf": _dnf})
    if cached:
        system.put("/var/cache/dnf/shop.solv", Node("file", mtime_ns=5_000_000_000))
    system.put("/etc/dnf/plugins/versionlock.list", Node("file", content=b"foo-0:1.0-1.*\n"))
    return system


def _at(*date: int) -> float:
    return datetime(*date, tzinfo=UTC).timestamp()  # type: ignore[misc,arg-type]  # so many numbers


def test_a_patch_is_for_security_where_any_advisory_newer_than_what_is_there_says_so() -> None:
    found = behind(_host())

    packages: dict[str, dict[str, JSON]] = {str(one["name"]): one for one in found["packages"]}  # type: ignore[union-attr,misc,index,call-overload]
    assert set(packages) == {"foo", "lib-a:i686"}
    assert packages["foo"]["security"] is True  # by SHOP-3, on the way to 2.0
    assert packages["foo"]["held"] is True
    assert packages["foo"]["published_at"] == _at(2026, 1, 5)
    assert packages["lib-a:i686"]["installed"] == "2:1.0-1"
    assert packages["lib-a:i686"]["candidate"] == "2:1.1-1"
    assert packages["lib-a:i686"]["published_at"] == _at(2026, 2, 4)
    assert (found["manager"], found["lists_at"], found["patched_at"]) == ("dnf", 5.0, 2000.0)


def test_without_metadata_nobody_can_tell() -> None:
    found = behind(_host(cached=False))

    assert (found["packages"], found["lists_at"], found["patched_at"]) == ([], None, 2000.0)
