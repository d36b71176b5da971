"""Groups and environments: who is meant by a name, and whose variables win."""

from __future__ import annotations

import pytest
from tests.trial import Project

from vitrify.core.declaration import Declaration
from vitrify.core.diagnostic import UsageInvalid

LINE = '- file: {path: "/${var.who}"}'
SERVER = "    vars: {who: server}\n"
ALL = """\
vars: {who: project}
environments: {prod: {vars: {who: environment}}}
groups:
  outer: {hosts: [inner, "root:./c"], vars: {who: outer}}
  inner: {hosts: ["root:./a", {at: "root:./b", vars: {who: listed}}], vars: {who: inner}}"""


def server(hosts: str, *, head: str = ALL, keys: str = "") -> str:
    return f"""\
version: 1
project: shop
{head}
servers:
  web:
    lifecycle: mutable
    hosts: {hosts}
{keys}    resources:
      {LINE}
"""


def paths(declaration: Declaration) -> dict[str, str]:
    """Host -> the path of its file, which is the variable's value."""
    (web,) = declaration.servers
    return {host.name: str(web.wishes(host)[0].fields["path"]) for host in web.hosts}


def test_a_group_stands_for_its_hosts_and_those_of_its_inner_groups(project: Project) -> None:
    declaration = project.load(server("[outer, local]"))

    assert [host.name for host in declaration.servers[0].hosts] == ["root:./c", "root:./a", "root:./b", "local"]
    assert declaration.groups == {"outer": ("root:./c", "root:./a", "root:./b"), "inner": ("root:./a", "root:./b")}


def test_a_host_that_two_groups_hold_is_there_once(project: Project) -> None:
    assert list(paths(project.load(server('[inner, outer, "root:./a"]')))) == ["root:./b", "root:./c", "root:./a"]


def test_an_inner_group_wins_over_the_one_around_it_and_a_host_over_both(project: Project) -> None:
    found = paths(project.load(server("[outer, local]")))

    assert found == {"root:./c": "/outer", "root:./a": "/inner", "root:./b": "/listed", "local": "/project"}


def test_variables_of_a_group_hold_for_a_host_that_is_named_by_itself(project: Project) -> None:
    assert paths(project.load(server('["root:./a", "root:./b"]'))) == {"root:./a": "/inner", "root:./b": "/listed"}


@pytest.mark.parametrize(
    ("given", "host", "wins"),
    [
        (("", "", {}), "local", "project"),
        (("prod", "", {}), "local", "environment"),
        (("prod", "", {}), "root:./a", "inner"),
        (("prod", SERVER, {}), "root:./a", "server"),
        (("prod", SERVER, {}), "root:./b", "listed"),
        (("prod", SERVER, {"who": "command-line"}), "root:./b", "command-line"),
    ],
)
def test_one_rule_later_wins(project: Project, given: tuple[str, str, dict[str, str]], host: str, wins: str) -> None:
    environment, keys, overrides = given

    declaration = project.load(server(f'["{host}"]', keys=keys), environment=environment, overrides=overrides)

    assert paths(declaration) == {host: f"/{wins}"}


def test_what_the_server_says_of_its_host_wins_over_what_a_group_says_of_it(project: Project) -> None:
    assert paths(project.load(server('[{at: "root:./b", vars: {who: mine}}]'))) == {"root:./b": "/mine"}


def test_an_environment_gives_a_value_that_nothing_else_declares(project: Project) -> None:
    head = "environments: {prod: {vars: {who: only}}, test: {}}"

    assert paths(project.load(server("[local]", head=head), environment="prod")) == {"local": "/only"}
    assert project.problem(server("[local]", head=head))[0].endswith("there is no variable `who`")


def test_hosts_may_come_from_a_variable_of_the_environment(project: Project) -> None:
    head = ALL.replace("{who: environment}", "{who: environment, where: [inner]}")

    assert list(paths(project.load(server('"${var.where}"', head=head), environment="prod"))) == ["root:./a", "root:./b"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("prd", "did you mean `prod`?"), ("zzzz", "environments: prod"), ("who=me", "`--var who=me` sets a variable")],
)
def test_an_environment_that_does_not_exist_is_refused_with_what_was_meant(project: Project, name: str, hint: str) -> None:
    with pytest.raises(UsageInvalid) as error:
        project.load(server("[local]"), environment=name)

    assert f"there is no environment `{name}`" in str(error.value)
    assert hint in str(error.value)


@pytest.mark.parametrize(
    ("head", "hosts", "expected", "rest"),
    [
        (ALL, "[iner]", "11:13 there is no host or group `iner`", "did you mean `inner`?"),
        (ALL, "[locl]", "11:13 there is no host or group `locl`", "did you mean `local`?"),
        (ALL, "[{at: inner, vars: {who: x}}]", "11:13 `inner` is a group", "its variables stand in `groups`"),
        ("groups: {a: {hosts: [b]}, b: {hosts: [c]}, c: {hosts: [a]}}", "[local]", "3:56 the group `a` holds itself", "3:10"),
        ("groups: {a: {hosts: [a]}}", "[local]", "3:22 the group `a` holds itself", ""),
        ("groups: {a: {host: [local]}}", "[local]", "3:10 the key `hosts` is missing", ""),
        ("groups: {a: {hosts: [local, loca]}}", "[local]", "3:29 there is no host or group `loca`", "did you mean `local`?"),
        ("groups: {a: {hosts: ['root:']}}", "[local]", "3:22 `root:` is not a host", ""),
        ("groups: {local: {hosts: ['root:./x']}}", "[local]", "3:10 a group cannot be called `local`", ""),
        ("groups: {'1a': {hosts: ['root:./x']}}", "[local]", "3:10 '1a' cannot be the name of a group", ""),
        ("groups: {a: [local]}", "[local]", "3:13 expected a map, not a list", ""),
        ("groups: {a: {hosts: local}}", "[local]", "3:21 expected a list, not text", ""),
        ("environments: {prod: {var: {}}}", "[local]", "3:23 there is no key `var`", "did you mean `vars`?"),
        ("environments: {prod: {vars: {a: '${var.b}'}}}", "[local]", "3:33 a variable cannot be made of other variables", ""),
    ],
)
def test_what_is_wrong_with_a_group_or_an_environment_is_told_where_it_stands(
    project: Project, head: str, hosts: str, expected: str, rest: str
) -> None:
    text = server(hosts, head=head).replace(LINE, "- directory: /x")

    found = [(f"{one.where.line}:{one.where.column} {one.summary}", f"{one.why} {one.hint}") for one in project.problems(text) if one.where]

    assert expected in dict(found)
    assert rest in dict(found)[expected]


def test_a_circle_of_groups_is_told_once_for_each_group_in_it(project: Project) -> None:
    head = "groups: {a: {hosts: [b]}, b: {hosts: [a]}}"

    problems = project.problems(server("[local]", head=head).replace(LINE, "- directory: /x"))

    assert [one.summary for one in problems] == ["the group `b` holds itself", "the group `a` holds itself"]


def test_an_image_must_be_the_same_for_all_hosts_of_a_group(project: Project) -> None:
    text = server("[outer]", keys="    base: host\n").replace("lifecycle: mutable", "lifecycle: immutable")
    text = text.replace(LINE, f"{LINE}\n      - process: {{name: web, command: [/bin/x]}}")

    problems = {problem.summary for problem in project.problems(text)}

    assert problems == {"an image is the same on every host, and these variables make another one"}
