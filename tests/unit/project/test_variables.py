from __future__ import annotations

import pytest
from tests.trial import Project

from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import digest_bytes

HOSTS = "vars: {who: server}\n    hosts: [local, {at: 'root:./x', vars: {who: host}}]\n"


def text(project: Project, line: str, *, head: str = "vars: {who: project, n: 4, yes: true}") -> str:
    server = project.load(project.server(line, head=head)).servers[0]
    content = server.contents[str(server.resources[0].fields["content"])].data
    assert content is not None
    return content.decode()


def test_a_variable_is_filled_in_anywhere_in_a_text(project: Project) -> None:
    assert text(project, '- file: {path: /x, content: "<${var.who}|${var.n}|${var.yes}>"}') == "<project|4|true>"


def test_two_dollars_write_the_sign_itself(project: Project) -> None:
    assert text(project, '- file: {path: /x, content: "$${var.who} $HOME ${var.who}"}') == "${var.who} $HOME project"


def test_a_value_that_is_wholly_a_variable_keeps_its_type(project: Project) -> None:
    head = "vars: {replicas: 3, port: 8000, words: [/bin/x, -a], tags: {a: b}}"
    line = '- process: {name: web, command: "${var.words}", port: "${var.port}", env: "${var.tags}"}'

    server = project.load(project.server(line, head=head, keys="    replicas: ${var.replicas}\n")).servers[0]

    assert server.replicas == 3
    assert server.resources[0].fields == {"name": "web", "command": ["/bin/x", "-a"], "port": 8000, "env": {"a": "b"}}


def test_a_number_in_a_variable_is_written_out_where_a_text_is_wanted(project: Project) -> None:
    line = '- process: {name: web, command: [/bin/x, "${var.n}"], env: {N: "${var.n}", Y: "${var.yes}"}}'

    server = project.load(project.server(line, head="vars: {n: 4, yes: true}")).servers[0]

    assert server.resources[0].fields["command"] == ["/bin/x", "4"]
    assert server.resources[0].fields["env"] == {"N": "4", "Y": "true"}


def test_the_port_of_an_instance_stays_for_later_in_a_process_and_nowhere_else(project: Project) -> None:
    line = '- process: {name: web, command: [/bin/x, "${instance.port}"], port: 8000}'

    assert project.load(project.server(line)).servers[0].resources[0].fields["command"] == ["/bin/x", "${instance.port}"]
    found, _ = project.problem(project.server('- file: {path: /x, content: "${instance.port}"}'))
    assert found == "9:35 `${instance.port}` is known only to a process that runs"


def test_later_wins_from_project_over_server_and_host_to_the_command_line(project: Project) -> None:
    line = '- file: {path: /x, content: "${var.who}"}'
    declaration = project.server(line, head="vars: {who: project}").replace("hosts: [local]\n", HOSTS)

    server = project.load(declaration).servers[0]
    overridden = project.load(declaration, overrides={"who": "command line"}).servers[0]

    assert [server.wishes(host)[0].fields["content"] for host in server.hosts] == [digest_bytes(b"server"), digest_bytes(b"host")]
    assert [overridden.wishes(host)[0].fields["content"] for host in overridden.hosts] == [digest_bytes(b"command line")] * 2
    assert not overridden.apart
    assert set(server.contents) == {digest_bytes(b"server"), digest_bytes(b"host")}


def test_an_image_must_not_differ_from_host_to_host(project: Project) -> None:
    lines = ['- file: {path: /x, content: "${var.who}"}', "- process: {name: web, command: [/bin/x]}"]
    declaration = project.server(*lines, head="vars: {}").replace("hosts: [local]\n", HOSTS)

    found, _ = project.problem(declaration.replace("lifecycle: mutable", "lifecycle: immutable\n    base: host"))

    assert found == "9:37 an image is the same on every host, and these variables make another one"


def test_a_variable_of_hosts_alone_needs_no_default(project: Project) -> None:
    declaration = project.server('- file: {path: "/${var.who}"}').replace("hosts: [local]", "hosts: [{at: local, vars: {who: me}}]")

    assert str(project.load(declaration).servers[0].resources[0].address) == "file:/me"


def test_the_command_line_gives_a_value_in_the_type_of_the_variable(project: Project) -> None:
    declaration = project.server("- directory: /x", head="vars: {n: 1}", keys="    replicas: ${var.n}\n")

    assert project.load(declaration, overrides={"n": "7"}).servers[0].replicas == 7


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"whoo": "x"}, "did you mean `who`?"),
        ({"n": "many"}, "is a whole number, not 'many'"),
        ({"n": "9" * 30}, "is a whole number"),
        ({"yes": "1"}, "is true or false"),
        ({"words": "a"}, "is a list and cannot be given on the command line"),
        ({"who": "\udcff"}, "is not text"),
    ],
)
def test_a_wrong_value_on_the_command_line_is_a_usage_error(project: Project, overrides: dict[str, str], message: str) -> None:
    head = "vars: {who: project, n: 4, yes: true, words: [a]}"

    with pytest.raises(UsageInvalid) as error:
        project.load(project.server("- directory: /x", head=head), overrides=overrides)

    assert message in str(error.value)


@pytest.mark.parametrize(
    ("value", "expected", "rest"),
    [
        ("${var.whoo}", "there is no variable `whoo`", "did you mean `who`?"),
        ("${var.zzzz}", "there is no variable `zzzz`", "variables here: list, who"),
        ("a ${who} b", "`${who}` means nothing", "did you mean `var.who`?"),
        ("${HOME}", "`${HOME}` means nothing", "write `$${` for `${` itself"),
        ("${fact.os.id}", "`${fact.os.id}` means nothing", ""),
        ("${param.x}", "`${param.x}` stands outside a profile", ""),
        ("${var.who", "`${var.who` has no closing brace", ""),
        ("x${var.list}", "`${var.list}` is a list and cannot stand inside a text", "whole value"),
    ],
)
def test_a_wrong_reference_is_told_at_the_value(project: Project, value: str, expected: str, rest: str) -> None:
    found, more = project.problem(project.server(f'- file: {{path: /x, content: "{value}"}}', head="vars: {who: me, list: [a]}"))

    assert found == f"9:35 {expected}"
    assert rest in more


def test_a_wrong_reference_in_a_key_of_a_server_is_told_once(project: Project) -> None:
    declaration = project.server("- directory: /x", keys="    replicas: ${var.n}\n")

    assert project.problem(declaration)[0] == "8:15 there is no variable `n`"


def test_variables_are_not_made_of_variables(project: Project) -> None:
    assert project.problem(project.server("- directory: /x", head="vars: {a: '${var.b}', b: 1}"))[0].startswith("3:11 a variable cannot")


def test_a_value_of_the_wrong_type_from_a_variable_is_told_where_it_is_used(project: Project) -> None:
    declaration = project.server('- file: {path: /x, mode: "${var.m}"}', head="vars: {m: 420}")

    assert project.problem(declaration)[0] == "9:32 a mode is text, not the number 420"


def test_parameters_cannot_double_a_text_without_end(project: Project) -> None:
    levels = [
        f"  p{n}: {{parameters: {{x: {{type: text}}}}, resources: [use: {{profile: p{n + 1}, with: {{x: '${{param.x}}${{param.x}}'}}}}]}}"
        for n in range(40)
    ]
    head = "\n".join(["profiles:", *levels, "  p40: {parameters: {x: {type: text}}, resources: [directory: '/${param.x}']}"])

    problems = project.problems(project.server("- use: {profile: p0, with: {x: abcdefgh}}", head=head))

    assert "is longer than" in problems[0].summary


@pytest.mark.parametrize("value", ["['${param.x}', '${param.x}']", "[[[[[['${param.x}']]]]]]"])
def test_parameters_cannot_grow_or_deepen_a_list_without_end(project: Project, value: str) -> None:
    levels = [
        f"  p{n}: {{parameters: {{x: {{type: list}}}}, resources: [use: {{profile: p{n + 1}, with: {{x: {value}}}}}]}}" for n in range(40)
    ]
    last = "  p40: {parameters: {x: {type: list}}, resources: [command: {run: '${param.x}', always: true}]}"

    problems = project.problems(project.server("- use: {profile: p0, with: {x: [a]}}", head="\n".join(["profiles:", *levels, last])))

    assert "is too large once variables are filled in" in problems[0].summary
