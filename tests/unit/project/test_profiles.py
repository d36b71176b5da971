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


TYPED = """\
profiles:
  site:
    parameters:
      size: {type: text, choices: [small, large], default: small}
      owner: {type: text, required: false}
      ports: {type: integer, required: true, choices: [80, 443]}
    resources:
      - directory: {path: "/${param.size}/${param.ports}", owner: "${param.owner}"}"""


def test_a_parameter_that_need_not_be_given_leaves_its_key_out(project: Project) -> None:
    without, given = [
        project.load(project.server(f"- use: {{profile: site, with: {{ports: 80{more}}}}}", head=TYPED)).servers[0].resources[0]
        for more in ("", ", owner: ann, size: large")
    ]

    assert without.fields == {"path": "/small/80"}
    assert given.fields == {"path": "/large/80", "owner": "ann"}


@pytest.mark.parametrize(
    ("line", "expected", "rest"),
    [
        ("- use: {profile: site, with: {ports: 80, size: lage}}", "16:54 `lage` is not one of small, large", "did you mean `large`?"),
        ("- use: {profile: site, with: {ports: 81}}", "16:44 `81` is not one of 80, 443", ""),
        ("- use: {profile: site, with: {size: small}}", "16:36 the profile `site` needs the parameter `ports`", "a whole number"),
    ],
)
def test_a_value_that_is_no_choice_is_told_at_the_with(project: Project, line: str, expected: str, rest: str) -> None:
    found, more = project.problem(project.server(line, head=TYPED))

    assert found == expected
    assert rest in more


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("{type: text, default: a, required: true}", "a parameter that has a default need not be given"),
        ("{type: text, default: c, choices: [a, b]}", "the default of `p` is not one of a, b"),
        ("{type: text, choices: [a, 1]}", "a choice of `p` is text, not a number"),
        ("{type: text, choices: []}", "nothing is written here"),
        ("{type: text, choices: a}", "expected a list, not text"),
        ("{type: text, requird: true}", "there is no key `requird`"),
    ],
)
def test_a_parameter_that_contradicts_itself_is_told_though_nobody_uses_it(project: Project, parameter: str, expected: str) -> None:
    head = f"profiles: {{site: {{parameters: {{p: {parameter}}}, resources: []}}}}"

    assert project.problem(project.server("- directory: /x", head=head))[0].partition(" ")[2] == expected


def test_a_parameter_that_was_not_given_cannot_stand_inside_a_text(project: Project) -> None:
    head = "profiles: {site: {parameters: {p: {type: text, required: false}}, resources: [directory: '/x${param.p}']}}"

    assert "was not given and cannot stand inside a text" in project.problem(project.server("- use: site", head=head))[0]
