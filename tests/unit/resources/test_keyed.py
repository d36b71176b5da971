from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Resource
from vitrify.resources.registry import all_kinds

KINDS = all_kinds()


def nothing(digest: str) -> bytes:
    raise KeyError(digest)


def edited(kind: str, text: str, key: JSON, value: JSON) -> str:
    wish = Resource(Address(kind, "x"), {"path": "/x", "key": key, "value": value})
    part = KINDS[kind]
    after: bytes = part.edited(text.encode(), wish, nothing)  # type: ignore[attr-defined]
    return after.decode()


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("yaml", "a: 1\na: 2\n", "line 2: this key stands twice in its map"),
        ("yaml", "a: 1\n  b: 2\nx\n", "line 3: this is not a key with its value"),
        ("yaml", "a:\n\tb: 2\nx: 1\n", "line 2: its depth is not understood"),
        ("yaml", 'a: "one\ntwo"\n', "line 1: what begins here does not end before the next key"),
        ("yaml", "a: [1,\n2]\nb: 1\n", "line 1: what begins here does not end before the next key"),
        ("yaml", "%YAML 1.2\n---\na: 1\n", "line 1: a directive is not understood"),
        ("yaml", "- a\n- b\n", "line 1: a list has no keys"),
        ("yaml", "x: !tag 1\n", "line 1: 'x' has an anchor, an alias or a tag"),
        ("json", '{"a": 1, "a": 2}', "line 1: a name stands twice in this map"),
        ("json", '{"a": 1}\n{}', "line 1: something follows the value"),
        ("json", "[" * 300, "line 1: it is nested too deeply"),
        ("json", "[1]", "the whole file is a list without 'x'"),
        ("toml", "a = 1 b = 2\n", "line 1: something follows that is not understood"),
        ("toml", "a = \n", "line 1: a value was expected"),
        ("toml", 'a = "\\q"\n', "line 1: this text holds a \\ that is not understood"),
        ("toml", "x = 1\nx = 2\n", "line 2: this key stands twice"),
        ("toml", "[x]\na = 1\n", "line 1: a whole table stands there, not a value"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(kind: str, text: str, why: str) -> None:
    with pytest.raises(TargetFailed) as caught:
        edited(kind, text, "x", 1)

    assert caught.value.diagnostics[0].why == why


@pytest.mark.parametrize("kind", ["json", "yaml", "toml"])
def test_what_is_no_text_is_refused(kind: str) -> None:
    part = KINDS[kind]

    with pytest.raises(TargetFailed, match="it is not UTF-8"):
        part.edited(b"\xff", Resource(Address(kind, "x"), {"path": "/x", "key": "a", "value": 1}), nothing)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a:\n  - 1\n# end\n", "a:\n  - 1\nx: 1\n# end\n"),
        ("a: |\n  text\n  # text\n\nb: 1\n", "a: |\n  text\n  # text\n\nb: 1\nx: 1\n"),
        ("a: >-\n  text\n  # text\n", "a: >-\n  text\n  # text\nx: 1\n"),
        ("---\n", "---\nx: 1\n"),
        ("# only\n", "# only\nx: 1\n"),
        ("a: b", "a: b\nx: 1\n"),
        ("a:\n- 1\n- 2\nb: {c: [1,\n  2]}\n", "a:\n- 1\n- 2\nb: {c: [1,\n  2]}\nx: 1\n"),
        ("x: 'it''s' # so\n", "x: 1 # so\n"),
        ("x: a#b\n", "x: 1\n"),
        ("x:\n", "x: 1\n"),
        ("x: # so\n  y: 1\nz: 2\n", "x: 1\nz: 2\n"),
        ("http://a: 1\n'x': 2\n", "http://a: 1\n'x': 1\n"),
        ("x: |\n  text\n\n  more\ny: 1\n", "x: 1\ny: 1\n"),
        ("  a: 1\n", "  a: 1\n  x: 1\n"),
    ],
)
def test_yaml_of_many_kinds_is_edited_where_it_is_meant(before: str, after: str) -> None:
    assert edited("yaml", before, "x", 1) == after
    assert edited("yaml", after, "x", 1) == after


def test_keys_of_an_item_are_reached_where_its_dash_stands() -> None:
    text = "l:\n  -   a: 1 # one\n      b: 2\n  - - 1\n    - 2\n"

    assert edited("yaml", text, ["l", 0, "a"], 9) == text.replace("a: 1", "a: 9")
    assert edited("yaml", text, ["l", 0, "c"], 3) == text.replace("b: 2\n", "b: 2\n      c: 3\n")
    assert edited("yaml", text, ["l", 1, 1], 3) == text.replace("    - 2", "    - 3")
    assert edited("yaml", text, ["l", 1, 0], 3) == text.replace("- - 1", "- - 3")


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("plain", "plain"),
        ("yes", '"yes"'),
        ("Null", '"Null"'),
        ("1.5", '"1.5"'),
        ("", '""'),
        ("a: b", '"a: b"'),
        ("- a", '"- a"'),
        ("a #b", '"a #b"'),
    ],
)
def test_a_text_is_written_so_that_nobody_takes_it_for_something_else(text: str, spelled: str) -> None:
    assert edited("yaml", "", "x", text) == f"x: {spelled}\n"


@pytest.mark.parametrize(
    ("kind", "fields", "summary"),
    [
        ("json", {"value": 1}, "the field `key` is missing"),
        ("json", {"key": "a"}, "one of `value`, `literal` is needed"),
        ("json", {"key": "a..b", "value": 1}, "'a..b' is not the way to a value"),
        ("json", {"key": [0], "value": 1}, "expected text or a list of names"),
        ("json", {"key": "a", "value": {"b": [0.5]}}, "a fraction has no single spelling"),
        ("json", {"key": "a", "literal": "0,5"}, "`literal` is not JSON"),
        ("yaml", {"key": "a", "literal": "&x 1"}, "`literal` is a plain value on one line"),
        ("toml", {"key": "a", "value": None}, "TOML has no word for nothing"),
        ("toml", {"key": ["a", 0], "value": 1}, "a place in a list cannot be named here"),
        ("toml", {"key": "a", "literal": "1\nb = 2"}, "`literal` is not one TOML value on one line"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(kind: str, fields: dict[str, JSON], summary: str) -> None:
    assert [problem.summary for problem in KINDS[kind].schema.problems({"path": "/x", **fields})] == [summary]
