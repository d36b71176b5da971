from __future__ import annotations

from collections.abc import Mapping

import pytest

from vitrify.core.digest import JSON
from vitrify.core.schema import Field, Problem, Schema, Type, check, near

SCHEMA = Schema(
    fields={
        "path": Field(Type.PATH, "where it is", required=True),
        "content": Field(Type.TEXT, "what it holds"),
        "source": Field(Type.TEXT, "where that comes from", control=True),
        "entries": Field(Type.ANY, "what stands for it", resolved=True),
        "colour": Field(Type.TEXT, "its colour", choices=("red", "green")),
    },
    one_of=(("content", "source"),),
    needs_one_of=(("content", "source"), ("entries", "source")),
    rules=(lambda values: [Problem(("path",), "not that one")] if values["path"] == "/forbidden" else [],),
)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Type.TEXT, ""),
        (Type.TEXT, "ü\n"),
        (Type.PATH, "/"),
        (Type.PATH, "/etc/..motd"),
        (Type.PATH, "/mit Leerzeichen/☃"),
        (Type.MODE, "644"),
        (Type.MODE, "4755"),
        (Type.NAME, "www-data"),
        (Type.NAME, "web.blue@1"),
        (Type.INTEGER, 0),
        (Type.INTEGER, -1),
        (Type.BOOLEAN, False),
        (Type.TEXTS, ["a", ""]),
        (Type.MAP, {}),
        (Type.MAP, {"A": ""}),
        (Type.ANY, None),
    ],
)
def test_a_valid_value_has_no_problem(kind: Type, value: JSON) -> None:
    assert check(Field(kind, ""), value, path=("x",)) == []


@pytest.mark.parametrize(
    ("kind", "value", "summary", "hint"),
    [
        (Type.TEXT, 5, "expected text, not a number", "put it in quotes"),
        (Type.TEXT, None, "expected text, not nothing", "put it in quotes"),
        (Type.TEXT, True, "expected text, not true", "put it in quotes"),
        (Type.TEXT, "a\0b", "text cannot hold a NUL character", ""),
        (Type.PATH, [], "expected text, not a list", "put it in quotes"),
        (Type.PATH, "etc/motd", "'etc/motd' is not an absolute path", "start it with /"),
        (Type.PATH, "", "'' is not an absolute path", "start it with /"),
        (Type.PATH, "/etc/../root", "'/etc/../root' holds `.` or `..`", "write the path out"),
        (Type.PATH, "/etc/.", "'/etc/.' holds `.` or `..`", "write the path out"),
        (Type.PATH, "/etc/", "'/etc/' has a slash too many", ""),
        (Type.PATH, "//etc", "'//etc' has a slash too many", ""),
        (Type.PATH, "/a\nb", "a path cannot hold control characters", ""),
        (Type.PATH, "/a\0b", "a path cannot hold control characters", ""),
        (
            Type.MODE,
            644,
            "a mode is text, not the number 644",
            'write its octal digits in quotes, as in "0644" (YAML reads a bare 0644 as a decimal)',
        ),
        (Type.MODE, "0999", "'0999' is not a mode", 'three or four octal digits in quotes, as in "0644"'),
        (Type.MODE, "u+x", "'u+x' is not a mode", 'three or four octal digits in quotes, as in "0644"'),
        (Type.MODE, "00644", "'00644' is not a mode", 'three or four octal digits in quotes, as in "0644"'),
        (Type.NAME, "-x", "'-x' is not a name", "letters, digits, and . _ @ - inside"),
        (Type.NAME, "a b", "'a b' is not a name", "letters, digits, and . _ @ - inside"),
        (Type.NAME, "a" * 256, f"{'a' * 256!r} is not a name", "letters, digits, and . _ @ - inside"),
        (Type.NAME, "web\n", "'web\\n' is not a name", "letters, digits, and . _ @ - inside"),
        (Type.NAME, {}, "expected text, not a map", "put it in quotes"),
        (Type.INTEGER, True, "expected a whole number, not true", ""),
        (Type.INTEGER, 1.5, "expected a whole number, not a number", ""),
        (Type.INTEGER, "8000", "expected a whole number, not text", ""),
        (Type.BOOLEAN, "yes", "expected true or false, not text", ""),
        (Type.TEXTS, "echo 'hi there'", "expected a list, not text", 'write ["echo", "hi there"]'),
        (Type.TEXTS, "a | b", "expected a list, not text", 'there is no shell; to ask for one, write ["/bin/sh", "-c", "a | b"]'),
        (Type.TEXTS, "it's", "expected a list, not text", "write [one, two]"),
        (Type.TEXTS, 5, "expected a list, not a number", "write [one, two]"),
        (Type.TEXTS, [], "the list is empty", ""),
        (Type.MAP, [], "expected a map, not a list", "write {NAME: value}"),
    ],
)
def test_every_complaint_says_what_is_wrong_and_what_to_write(kind: Type, value: JSON, summary: str, hint: str) -> None:
    assert check(Field(kind, ""), value, path=("x",)) == [Problem(("x",), summary, hint)]


def test_a_complaint_leads_to_the_value_inside_a_list_or_map() -> None:
    assert [problem.path for problem in check(Field(Type.TEXTS, ""), ["a", 1, None], path=("run",))] == [("run", "1"), ("run", "2")]
    assert [problem.path for problem in check(Field(Type.MAP, ""), {"A": "", "B": 1}, path=("env",))] == [("env", "B")]


def test_a_misspelt_choice_is_recognised() -> None:
    (problem,) = check(SCHEMA.fields["colour"], "gren", path=("colour",))

    assert problem == Problem(("colour",), "'gren' is not one of red, green", "did you mean `green`?")


def test_a_misspelt_field_is_recognised_and_a_strange_one_answered_with_all() -> None:
    misspelt, strange = SCHEMA.problems({"path": "/a", "contnet": "x", "zzz": 1, "source": "y"})

    assert misspelt == Problem(("contnet",), "there is no field `contnet`", "did you mean `content`?")
    assert strange == Problem(("zzz",), "there is no field `zzz`", "fields: colour, content, path, source")


def test_all_problems_are_told_at_once() -> None:
    found = SCHEMA.problems({"content": 1, "source": "s", "colour": "blue"})

    assert [problem.summary for problem in found] == [
        "the field `path` is missing",
        "expected text, not a number",
        "'blue' is not one of red, green",
        "`source` cannot stand beside `content`",
    ]


def test_a_missing_field_is_explained() -> None:
    (problem,) = SCHEMA.problems({"source": "s"})

    assert problem == Problem((), "the field `path` is missing", "`path`: where it is")


def test_one_of_a_group_is_needed_unless_the_resource_is_absent() -> None:
    assert [problem.summary for problem in SCHEMA.problems({"path": "/a"})] == [
        "one of `content`, `source` is needed",
        "the field `source` is missing",
    ]
    assert SCHEMA.problems({"path": "/a"}, absent=True) == []


def test_nobody_may_declare_what_only_travels_nor_send_what_is_resolved() -> None:
    declared: Mapping[str, JSON] = {"path": "/a", "source": "s"}
    resolved: Mapping[str, JSON] = {"path": "/a", "content": "c", "entries": {}}

    assert SCHEMA.problems(declared) == []
    assert SCHEMA.problems(resolved, resolved=True) == []
    assert [problem.path for problem in SCHEMA.problems({**declared, "entries": {}})] == [("entries",)]
    assert ("source",) in [problem.path for problem in SCHEMA.problems({**resolved, "source": "s"}, resolved=True)]


def test_a_rule_is_asked_only_where_each_field_is_right_by_itself() -> None:
    assert SCHEMA.problems({"path": "/forbidden", "source": "s"}) == [Problem(("path",), "not that one")]
    assert [problem.summary for problem in SCHEMA.problems({"source": "s"})] == ["the field `path` is missing"]


def test_a_kind_that_cannot_be_taken_back_cannot_be_absent() -> None:
    (problem,) = Schema({}, removable=False).problems({}, absent=True)

    assert problem.summary == "this kind cannot be absent"


def test_near_is_silent_where_nothing_is_near() -> None:
    assert near("packge", ["package", "file"]) == "did you mean `package`?"
    assert near("quux", ["package", "file"]) == ""
