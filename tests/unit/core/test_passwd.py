"""The account files as text, and the numbers that are free in them."""

from __future__ import annotations

import pytest

from vitrify.core.enrol import NEVER, date_of, days_of, is_date, shut
from vitrify.core.passwd import Rules, Table, free_number, free_range, read
from vitrify.testing.memory_system import MemorySystem, Node

SPAN = (1000, 1005)


@pytest.mark.parametrize("text", [b"", b"a:x:1:1\n", b"# kept\n\na:x:1:1\nodd\n+::::\n", b"a:x:1:\xff\n"])
def test_a_file_that_is_not_changed_is_written_as_it_was(text: bytes) -> None:
    assert Table.read(text).text() == text


def test_a_new_entry_comes_before_the_lines_that_ask_a_directory_service() -> None:
    assert Table.read(b"a:x:1:\n+:::\n").put(("b", "x", "2", "")).text() == b"a:x:1:\nb:x:2:\n+:::\n"


def test_of_two_entries_of_one_name_the_first_counts() -> None:
    table = Table.read(b"a:x:1:\na:x:2:\nb:x:1:\n")

    assert table.find("a") == ("a", "x", "1", "")
    assert table.named("1") == "a"
    assert table.put(("a", "x", "3", "")).text() == b"a:x:3:\na:x:2:\nb:x:1:\n"


@pytest.mark.parametrize(
    ("taken", "system", "given"),
    [
        (set(), False, 1000),
        ({1000, 1002}, False, 1003),
        ({1005}, False, 1000),
        ({1000, 1005}, False, 1001),
        ({5, 70000}, False, 1000),
        (set(), True, 1005),
        ({1004}, True, 1003),
        ({1000}, True, 1005),
        ({1000, 1005}, True, 1004),
        (set(range(1000, 1006)), True, None),
        (set(range(1000, 1006)), False, None),
    ],
)
def test_a_number_is_given_beside_those_in_use(taken: set[int], *, system: bool, given: int | None) -> None:
    assert free_number(taken, SPAN, system=system) == given


@pytest.mark.parametrize(
    ("given", "start"),
    [(b"", 100), (b"a:100:10\n", 110), (b"a:110:10\n", 100), (b"a:105:10\n", 115), (b"a:120:10\nb:100:10\n", 110), (b"a:100:900\n", None)],
)
def test_a_range_of_subordinate_ids_is_the_first_gap(given: bytes, start: int | None) -> None:
    assert free_range(Table.read(given), (100, 999), 10) == start


def test_the_ranges_of_systems_end_where_those_of_people_begin() -> None:
    rules = Rules({"UID_MIN": "500", "UID_MAX": "0x1000", "UMASK": "027"})

    assert (rules.span("UID", system=False), rules.span("UID", system=True)) == ((500, 4096), (101, 499))
    assert (rules.home_mode, Rules({}).home_mode, Rules({"HOME_MODE": "0700"}).home_mode) == ("0750", "0755", "0700")


def test_the_rules_are_read_from_both_files_with_comments_and_empty_lines() -> None:
    system = MemorySystem()
    system.put("/etc/login.defs", Node("file", content=b"\n# UID_MIN 1\nUID_MIN\t\t 2000\nODD\n"))
    system.put("/etc/default/useradd", Node("file", content=b'#HOME=/x\n\nHOME=/people\nSHELL="/bin/dash"\n=\n'))

    rules = read(system, looking=True).rules

    assert (rules.number("UID_MIN", 0), rules.home("ada"), rules.shell) == (2000, "/people/ada", "/bin/dash")


def test_a_shadow_is_shut_for_all_but_those_that_are_named() -> None:
    table = Table.read(b"root:$6$x:1::::::\nada:!$6$y:1::::::\nbob:$6$z:1::::::\nsys:*:1::::::\nnew:!:1::::::\n")

    assert shut(table, {"bob"}).text() == b"root:*:1::::::\nada:*:1::::::\nbob:$6$z:1::::::\nsys:*:1::::::\nnew:!:1::::::\n"


def test_a_date_is_the_number_of_its_day() -> None:
    assert (days_of("1970-01-02"), date_of("21945"), days_of("2030-01-31")) == ("1", "2030-01-31", "21945")
    assert (days_of(NEVER), date_of("")) == ("", NEVER)
    assert [text for text in ("2030-1-31", "tomorrow", "2030-13-01", "2030-01-31", "") if is_date(text)] == ["2030-01-31"]
