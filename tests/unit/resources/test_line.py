from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import difference
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
    ("fields", "before", "after"),
    [
        ({"insert_after": "^b"}, b"a\nb\nb2\nc\n", b"a\nb\nb2\nx\nc\n"),
        ({"insert_before": "^b"}, b"a\nb\nb2\nc\n", b"a\nb\nx\nb2\nc\n"),
        ({"insert_before": "BOF"}, b"a\r\n", b"x\r\na\r\n"),
        ({"insert_after": "EOF"}, b"a", b"a\nx"),
        ({"insert_after": "nowhere"}, b"a\n", b"a\nx\n"),
        ({"insert_before": "^a"}, b"a", b"x\na"),
        ({"insert_after": "^a"}, b"a", b"a\nx"),
        ({"insert_before": "BOF"}, b"", b"x\n"),
    ],
)
def test_a_line_is_added_where_it_was_declared_to_go(fields: dict[str, JSON], before: bytes, after: bytes) -> None:
    assert edited(before, line(absent=False, line="x", **fields)) == after
    assert edited(after, line(absent=False, line="x", **fields)) == after


def test_a_line_may_keep_what_the_pattern_found() -> None:
    wish = line(match=r"^(\s*)max = (?P<old>\d+)$", line=r"\1max = 9", backrefs=True)

    assert edited(b"[a]\n  max = 3\n", wish) == b"[a]\n  max = 9\n"
    assert edited(b"[a]\n  max = 9\n", wish) == b"[a]\n  max = 9\n"
    assert observe(wish, Node("file", content=b"nothing\n")).properties == LINE.desired(wish)


def test_a_line_that_would_grow_each_time_is_refused() -> None:
    wish = line(match="^(a*)$", line=r"\1a", backrefs=True)
    system = MemorySystem()
    system.put("/etc/x", Node("file", content=b"aa\n"))
    change = difference(wish, desired=LINE.desired(wish), seen=LINE.observe(wish, system))
    assert change is not None

    with pytest.raises(TargetFailed, match="would change its own line again"):
        LINE.enact(change, system)

    assert system.read("/etc/x") == b"aa\n"


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
        ({"line": "a", "insert_after": "("}, "`insert_after` is not a regular expression"),
        ({"line": "a", "insert_after": "b", "insert_before": "c"}, "`insert_before` cannot stand beside `insert_after`"),
        ({"line": "a", "backrefs": True}, "`backrefs` has no meaning without `match`"),
        ({"line": r"\2", "match": "(a)", "backrefs": True}, "`line` names a group that `match` has not"),
        ({"line": "a", "create": "yes"}, "expected true or false, not text"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(fields: dict[str, JSON], summary: str) -> None:
    assert [problem.summary for problem in LINE.schema.problems({"path": "/etc/x", **fields})] == [summary]


def test_an_absent_line_needs_to_be_told_from_others() -> None:
    assert LINE.schema.problems({"path": "/etc/x", "match": "^a"}, absent=True) == []
    assert [problem.summary for problem in LINE.schema.problems({"path": "/etc/x"}, absent=True)] == ["one of `line`, `match` is needed"]
