from __future__ import annotations

import pytest

from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic
from vitrify.core.digest import JSON
from vitrify.project.node import plain
from vitrify.project.problems import Problems
from vitrify.project.yaml import parse


def value(content: str | bytes) -> JSON:
    problems = Problems()
    root = parse(content if isinstance(content, bytes) else content.encode(), file="f", problems=problems)
    problems.settle()
    return plain(root)


def wrong(content: str | bytes) -> tuple[Diagnostic, ...]:
    with pytest.raises(DeclarationInvalid) as error:
        value(content)
    return error.value.diagnostics


def place(content: str | bytes) -> str:
    (only,) = wrong(content)
    assert only.where
    return f"{only.where.line}:{only.where.column} {only.summary}"


def test_only_true_and_false_are_booleans() -> None:
    assert value("[true, false, yes, no, on, off, y, n]") == [True, False, "yes", "no", "on", "off", "y", "n"]


def test_scalars_follow_the_core_schema_of_yaml_1_2() -> None:
    found = value("[0644, 0o17, 0x1F, -3, ~, null, '', '15', 1_000, 12:30:45, 2001-01-01]")

    assert found == [644, 15, 31, -3, None, None, "", "15", "1_000", "12:30:45", "2001-01-01"]


def test_explicit_tags_of_plain_values_hold() -> None:
    assert value("{a: !!str 15, b: !!int '5', c: !!map {}, d: !!null ''}") == {"a": "15", "b": 5, "c": {}, "d": None}


def test_anchors_and_merge_keys_work_and_own_keys_win() -> None:
    found = value("a: &a {x: 1, y: 2}\nb: {y: 3, <<: *a}\nc: {<<: [*a, {z: 4}]}\nd: [*a]\n")

    assert found == {"a": {"x": 1, "y": 2}, "b": {"y": 3, "x": 1}, "c": {"x": 1, "y": 2, "z": 4}, "d": [{"x": 1, "y": 2}]}


def test_every_key_and_value_knows_its_line_and_column_counted_in_characters() -> None:
    root = parse('größe: {"ü": [1, "zwei"]}\n'.encode(), file="f", problems=Problems())

    entry = root.entries["größe"]
    inner = entry.node.entries["ü"]
    assert [(at.line, at.column) for at in (entry.at, entry.node.at, inner.at, inner.node.items[1].at)] == [(1, 1), (1, 8), (1, 9), (1, 18)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1 the key `a` stands here twice"),
        ("a: {b: 1, b: 2}\n", "1:11 the key `b` stands here twice"),
        ("a: 1.10\n", "1:4 1.10 is a number with a fraction"),
        ("a: .inf\n", "1:4 .inf is a number with a fraction"),
        ("a: " + "9" * 5000, "1:4 this number is too large"),
        ("1: a\n", "1:1 a key is text"),
        ("? [a]\n: b\n", "1:3 a key is text, not a list"),
        ("a: {{ b }}\n", "1:5 a key is text, not a map"),
        ("a: !!python/object:os.system x\n", "1:4 the tag 'tag:yaml.org,2002:python/object:os.system' has no meaning here"),
        ("a: !own {}\n", "1:4 the tag '!own' has no meaning here"),
        ("a: !!int x\n", "1:4 'x' does not fit its tag"),
        ("a:\n\tb: 1\n", "2:1 this is not YAML"),
        ("a: [1, 2\n", "1:4 this is not YAML"),
        ('a: "b\nc: 1\n', "1:4 this is not YAML"),
        ("a: &x [*x]\n", "1:8 `*x` holds itself"),
        ("a: *x\n", "1:4 there is no anchor `&x` above"),
        ("a: 1\n---\nb: 2\n", "2:1 a declaration is one document"),
        ("a: {<<: 1}\n", "1:9 `<<` takes a map, or a list of maps"),
        ("", "1:1 the declaration is empty"),
        ("# nothing\n", "1:1 the declaration is empty"),
        ("a: b\0c\n", "1:5 the character U+0000 cannot stand in a declaration"),
        ("a: b\n  \u2028c\n", "2:3 the character U+2028 cannot stand in a declaration"),
        (b"a: 1\nb: \xff\n", "2:4 this is not UTF-8"),
        ("a: 1".encode("utf-16"), "1:1 this is not UTF-8"),
        ('a: "\\ud800"\n', "1:7 this is not YAML"),
        ("[" * 100_000, "1:101 this is nested more than 100 levels deep"),
        ("\n".join(" " * depth + "a:" for depth in range(2000)), "101:101 this is nested more than 100 levels deep"),
    ],
)
def test_what_cannot_be_read_is_told_at_its_very_place(content: str | bytes, expected: str) -> None:
    assert place(content) == expected


def test_problems_that_can_be_read_past_are_told_together() -> None:
    found = wrong("a: 1.5\nb: 1\nb: 2\nc: !x y\n")

    assert [problem.where.line for problem in found if problem.where] == [1, 3, 4]


def test_aliases_cannot_make_a_small_file_large() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(98 + level)}: &{chr(98 + level)} [{', '.join(['*' + chr(97 + level)] * 10)}]" for level in range(9)]

    assert "aliases make more than" in place("\n".join(lines))


def test_aliases_cannot_make_a_shallow_file_deep() -> None:
    lines = ["a0: &a0 x"] + [f"a{level}: &a{level} {'[' * 60}*a{level - 1}{']' * 60}" for level in range(1, 40)]

    assert place("\n".join(lines)) == "3:69 aliases nest this more than 100 levels deep"


def test_a_byte_order_mark_does_not_move_the_columns() -> None:
    assert place("\ufeffa: 1.5\n".encode()).startswith("1:4 ")


def test_the_hint_for_a_second_key_leads_to_the_first() -> None:
    assert wrong("a: 1\n\na: 2\n")[0].hint == "the first one is in line 1"
