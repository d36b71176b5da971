from __future__ import annotations

import pytest
from tests.trial import Project

from vitrify.core.digest import digest_bytes

HEAD = """\
profiles:
  motd:
    parameters: {text: {type: text}, mode: {type: text, default: "0644"}, on: {type: boolean, default: true}}
    resources:
      - file: {path: /etc/motd, content: "${param.text}", mode: "${param.mode}", when: "${param.on}"}
  outer:
    resources:
      - directory: /etc
      - use: {profile: motd, with: {text: nested}}"""


def test_a_profile_stands_for_its_resources_with_its_parameters_filled_in(project: Project) -> None:
    (motd,) = project.load(project.server('- use: {profile: motd, with: {text: hi, mode: "0600"}}', head=HEAD)).servers[0].resources

    assert motd.fields == {"path": "/etc/motd", "content": digest_bytes(b"hi"), "mode": "0600"}
    assert motd.where
    assert motd.where.line == 7


def test_a_parameter_keeps_its_type_so_that_it_can_say_when(project: Project) -> None:
    assert project.load(project.server("- use: {profile: motd, with: {text: hi, on: false}}", head=HEAD)).servers[0].resources == ()


def test_profiles_use_each_other(project: Project) -> None:
    resources = project.load(project.server("- use: outer", head=HEAD)).servers[0].resources

    assert [str(resource.address) for resource in resources] == ["directory:/etc", "file:/etc/motd"]


def test_the_same_profile_twice_with_equal_parameters_is_harmless(project: Project) -> None:
    assert len(project.load(project.server("- use: outer", "- use: outer", head=HEAD)).servers[0].resources) == 2


@pytest.mark.parametrize(
    ("line", "expected", "rest"),
    [
        ("- use: motd", "17:9 the profile `motd` needs the parameter `text`", "with: {text: …}"),
        ("- use: {profile: motd, with: {mode: x}}", "17:36 the profile `motd` needs the parameter `text`", ""),
        ("- use: {profile: motd, with: {text: 5}}", "17:43 `text` is text, not a number", ""),
        ("- use: {profile: motd, with: {text: a, on: 1}}", "17:50 `on` is true or false, not a number", ""),
        ("- use: {profile: motd, with: {text: a, txt: b}}", "17:46 the profile `motd` has no parameter `txt`", "did you mean `text`?"),
        ("- use: {profile: motd, with: [a]}", "17:36 expected a map, not a list", ""),
        ("- use: moth", "17:14 there is no profile `moth`", "did you mean `motd`?"),
        ("- use: [motd]", "17:14 which profile is used?", "use: NAME"),
        ("- use: {with: {}}", "17:9 which profile is used?", "use: NAME"),
    ],
)
def test_a_wrong_use_is_told_at_its_very_place(project: Project, line: str, expected: str, rest: str) -> None:
    found, more = project.problem(project.server(line, head=HEAD))

    assert found == expected
    assert rest in more


def test_profiles_that_use_each_other_in_a_circle_are_named(project: Project) -> None:
    head = "profiles:\n  a: {resources: [use: b]}\n  b: {resources: [use: a]}"

    assert project.problem(project.server("- use: a", head=head))[0] == "5:24 these profiles use each other in a circle: `a` -> `b` -> `a`"


def test_profiles_cannot_make_resources_without_end(project: Project) -> None:
    levels = [f"  p{level}: {{resources: [{', '.join([f'use: p{level + 1}'] * 10)}]}}" for level in range(9)]
    head = "\n".join(["profiles:", *levels, "  p9: {resources: []}"])

    assert "this makes more than 100000 resources" in project.problem(project.server("- use: p0", head=head))[0]


def test_a_profile_that_no_server_uses_is_checked_as_far_as_it_can_be(project: Project) -> None:
    head = (
        "profiles:\n  unused:\n    parameters: {a: {type: tex}, b: {type: integer, default: x}}\n    resources: [fil: /a, file: {pat: /b}]"
    )

    found = [
        f"{problem.where.line}:{problem.where.column} {problem.summary}"
        for problem in project.problems(project.server(head=head))
        if problem.where
    ]

    assert found == [
        "5:28 `tex` is not one of text, integer, boolean, list, map",
        "5:62 the default of `b` is a whole number, not text",
        "6:17 there is no kind `fil`",
        "6:33 there is no field `pat`",
        "11:15 expected a list, not nothing",
    ]
