from __future__ import annotations

import pytest
from tests.trial import Project

HEAD = "secrets: {token: {env: TOKEN}}"


def wish(values: str) -> str:
    return f"- file: {{path: /x, template: t/x.j2, vars: {values}}}"


def rendered(project: Project, template: str, values: str) -> str:
    project.file("t/x.j2", template)
    server = project.load(project.server(wish(values))).servers[0]
    data = server.contents[str(server.resources[0].fields["content"])].data
    assert data is not None
    return data.decode()


def test_a_template_is_rendered_with_its_variables_and_keeps_its_last_newline(project: Project) -> None:
    assert rendered(project, "{% for n in list %}{{ n }},{% endfor %}{{ map.a }}\n", "{list: [1, 2], map: {a: b}}") == "1,2,b\n"


def test_a_template_may_include_another_by_its_path_in_the_project(project: Project) -> None:
    project.file("t/part.j2", "part {{ a }}")

    assert rendered(project, "{% include 't/part.j2' %}!", "{a: 1}") == "part 1!"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("ok\n{{ missing }}\n", "t/x.j2:2: 'missing' is undefined"),
        ("ok\n\n{% if %}\n", "t/x.j2:3: Expected an expression"),
        ("{{ a }}\n{{ 1 / 0 }}", "t/x.j2:2: division by zero"),
        ("{{ ''.__class__.__mro__ }}", "t/x.j2:1: access to attribute"),
        ("{% include 't/none.j2' %}", "`t/x.j2:1` asks for it"),
        ("{{ range(10000000) }}", "t/x.j2:1: Range too big"),
        ("{{ a|nofilter }}", "t/x.j2:1: No filter named"),
    ],
)
def test_a_template_that_fails_is_told_at_the_declaration_and_with_its_own_line(project: Project, template: str, why: str) -> None:
    project.file("t/x.j2", template)

    found, rest = project.problem(project.server(wish("{a: 1}")))

    assert found.startswith("9:36 ")
    assert why in rest


@pytest.mark.parametrize("name", ["t/none.j2", "../x.j2", "/etc/hostname", "t"])
def test_a_template_that_is_not_there_or_not_in_the_project_is_told(project: Project, name: str) -> None:
    found, _ = project.problem(project.server(f"- file: {{path: /x, template: {name}}}"))

    assert found == f"9:36 there is no template `{name}`"


def test_a_secret_in_a_template_makes_its_content_secret(project: Project) -> None:
    project.file("t/x.j2", "password={{ deep.p[0] }}")
    server = project.load(project.server(wish("{deep: {p: [secret:token]}}"), head=HEAD), environ={"TOKEN": "s3cret"}).servers[0]

    digest = str(server.resources[0].fields["content"])
    assert digest.startswith("hmac-sha256:")
    assert server.contents[digest].data == b"password=s3cret"


@pytest.mark.parametrize("template", ["{{ {}[p] }}", "{{ p.nothing }}", "{{ p|int + [] }}", "{% include p %}", "{{ p|round }}"])
def test_no_error_of_a_template_tells_a_secret(project: Project, template: str) -> None:
    project.file("t/x.j2", template)

    problems = project.problems(project.server(wish("{p: secret:token}"), head=HEAD), environ={"TOKEN": "s3cret"})

    assert len(problems) == 1
    assert "s3cret" not in str(problems) + str(problems[0])
