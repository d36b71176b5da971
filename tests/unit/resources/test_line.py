from __future__ import annotations

import pytest

from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Observation, Resource
from vitrify.resources.line import Line, edited
from vitrify.testing.memory_system import MemorySystem, Node

LINE = Line()


def line(*, absent: bool = False, **fields: JSON) -> Resource:
    declared: dict[str, JSON] = {"path": "/etc/x", **fields}
    return Resource(Address("line", LINE.identity(declared)), declared, absent=absent)


def observe(resource: Resource, node: Node | None) -> Observation:
    system = MemorySystem()
    if node:
        system.put("/etc/x", node)
    return LINE.observe(resource, system)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"b\n"),
        (b"\n", b"\nb\n"),
        (b"a", b"a\nb"),
        (b"a\n", b"a\nb\n"),
        (b"a\r\n", b"a\r\nb\r\n"),
        (b"a\r\nc", b"a\r\nc\r\nb"),
        (b"a\n\n", b"a\n\nb\n"),
        (b"b", b"b"),
        (b"b\r\n", b"b\r\n"),
        (b"bb\n", b"bb\nb\n"),
        (b" b\n", b" b\nb\n"),
    ],
)
def test_a_line_is_added_where_it_is_missing_and_nothing_else_moves(before: bytes, after: bytes) -> None:
    assert edited(before, line(line="b")) == after
    assert edited(after, line(line="b")) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"", b""), (b"b", b""), (b"b\n", b""), (b"a\nb", b"a"), (b"b\na\nb\n", b"a\n"), (b"a\n\nb\n", b"a\n\n"), (b"b\r\na", b"a")],
)
def test_an_absent_line_leaves_no_trace(before: bytes, after: bytes) -> None:
    assert edited(before, line(line="b", absent=True)) == after


def test_the_text_of_a_line_is_never_a_property_for_its_file_may_be_secret() -> None:
    seen = observe(line(match="^password=", line="password=new"), Node("file", mode="0600", content=b"password=hunter2\n"))

    assert seen.properties == {"type": "line", "line": "other"}
    assert seen.body is None


def test_the_whole_file_is_shown_where_everybody_may_read_it() -> None:
    wish = line(line="b")
    seen = observe(wish, Node("file", content=b"a\n"))

    assert seen.body == "a\n"
    assert LINE.text(wish, seen, bytes.fromhex) == "a\nb\n"
    assert LINE.text(wish, observe(wish, Node("file", mode="0600", content=b"a\n")), bytes.fromhex) is None


def test_a_file_that_will_be_created_is_shown() -> None:
    wish = line(line="b", create=True)

    assert LINE.text(wish, observe(wish, None), bytes.fromhex) == "b\n"


def test_a_line_keeps_its_address_when_its_text_changes_if_a_pattern_picks_it() -> None:
    assert line(match="^Port", line="Port 22").address == line(match="^Port", line="Port 2222").address
    assert line(line="a").address != line(line="b").address


def test_a_line_comes_after_its_file() -> None:
    file = Resource(Address("file", "/etc/x"), {"path": "/etc/x"})

    assert LINE.implied(line(line="a"), {file.address: file}) == (file.address,)


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({}, "the field `line` is missing"),
        ({"match": "a"}, "the field `line` is missing"),
        ({"line": "a\nb"}, "a line cannot hold a line break"),
        ({"line": "a\r"}, "a line cannot hold a line break"),
        ({"line": "a", "match": "("}, "`match` is not a regular expression"),
        ({"line": "b=1", "match": "^a="}, "`match` is not found in `line`, so the next run would not know its own line again"),
        ({"line": "a", "create": "yes"}, "expected true or false, not text"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(fields: dict[str, JSON], summary: str) -> None:
    assert [problem.summary for problem in LINE.schema.problems({"path": "/etc/x", **fields})] == [summary]


def test_an_absent_line_needs_to_be_told_from_others() -> None:
    assert LINE.schema.problems({"path": "/etc/x", "match": "^a"}, absent=True) == []
    assert [problem.summary for problem in LINE.schema.problems({"path": "/etc/x"}, absent=True)] == ["one of `line`, `match` is needed"]
