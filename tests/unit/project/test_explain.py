"""Where the value of a variable comes from."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.trial import Project

from vitrify.core.diagnostic import DeclarationInvalid, UsageInvalid
from vitrify.core.report import Explained
from vitrify.project.explain import explain
from vitrify.project.load import Inputs
from vitrify.resources.registry import all_kinds

TEXT = """\
version: 1
project: shop
vars: {who: project, password: secret:pw, words: [a, b]}
secrets: {pw: {env: PW}}
environments: {prod: {vars: {who: environment}}}
groups: {eu: {hosts: ["root:./a", {at: "root:./b", vars: {who: listed}}], vars: {who: group}}}
servers:
  web:
    lifecycle: mutable
    hosts: [eu, {at: local, vars: {who: host}}]
    vars: {who: server}
    resources:
      - file: {path: /x, content: "${var.password}", what: is wrong with resources does not matter}
  db: {lifecycle: mutable, hosts: [local], resources: []}
"""


def explained(
    project: Project, variable: str, host: str = "", *, overrides: Mapping[str, str] | None = None, environment: str = ""
) -> tuple[Explained, ...]:
    project.file("vitrify.yaml", TEXT)
    inputs = Inputs({"PW": "canary"}, overrides or {}, all_kinds(), b"", environment)
    return explain(str(project.folder), variable, host=host, inputs=inputs)


def places(found: Explained) -> list[str]:
    """`who says so = value @ line:column`, the one that holds last."""
    return [f"{one.by} = {one.value} @ {f'{one.where.line}:{one.where.column}' if one.where else '-'}" for one in found.said]


def test_every_layer_that_says_something_is_told_with_its_place(project: Project) -> None:
    (found,) = explained(project, "who", "root:./b", environment="prod", overrides={"who": "me"})

    assert (found.server, found.host) == ("web", "root:./b")
    assert places(found) == [
        "project = project @ 3:13",
        "environment prod = environment @ 5:35",
        "group eu = group @ 6:87",
        "server web = server @ 11:17",
        "host root:./b = listed @ 6:64",
        "command line = me @ -",
    ]


def test_a_host_on_which_two_servers_live_is_told_for_each(project: Project) -> None:
    found = explained(project, "who", "local")

    assert [(one.server, one.said[-1].value) for one in found] == [("web", "host"), ("db", "project")]


def test_without_a_host_every_host_is_told(project: Project) -> None:
    assert [(one.server, one.host) for one in explained(project, "who")] == [
        ("web", "root:./a"),
        ("web", "root:./b"),
        ("web", "local"),
        ("db", "local"),
    ]


def test_a_secret_is_told_by_its_name_and_never_read(project: Project) -> None:
    (web, db) = explained(project, "password", "local")

    assert web.said[0].value == db.said[0].value == "secret:pw"
    assert "canary" not in str((web, web.to_json()))


def test_as_a_document_the_value_that_holds_comes_first(project: Project) -> None:
    (found,) = explained(project, "who", "root:./a")

    document = found.to_json()

    assert (document["by"], document["value"]) == ("server web", "server")
    assert [one["by"] for one in document["overrode"] if isinstance(one, dict)] == ["group eu", "project"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("variable", "host", "message"),
    [
        ("woh", "local", "there is no variable `woh` on local\n  hint: did you mean `who`?"),
        ("zzz", "", "there is no variable `zzz`\n  hint: variables here: password, who, words"),
        ("who", "lcal", "no server lives on 'lcal'\n  hint: did you mean `local`?"),
    ],
)
def test_a_name_that_does_not_exist_is_refused_with_the_one_that_was_meant(
    project: Project, variable: str, host: str, message: str
) -> None:
    with pytest.raises(UsageInvalid) as error:
        explained(project, variable, host)

    assert message in str(error.value)


def test_what_is_wrong_with_variables_is_told_where_it_stands(project: Project) -> None:
    project.file("vitrify.yaml", TEXT.replace("{who: project,", "{who: '${var.words}',"))

    with pytest.raises(DeclarationInvalid) as error:
        explain(str(project.folder), "who", host="", inputs=Inputs({}, {}, all_kinds(), b""))

    assert "3:13: a variable cannot be made of other variables" in str(error.value)
