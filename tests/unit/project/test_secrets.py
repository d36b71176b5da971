from __future__ import annotations

from pathlib import Path

import pytest
from tests.trial import Project

from vitrify.core.diagnostic import VitrifyError
from vitrify.project.secrets import DeclaredSecrets
from vitrify.project.sources import Environment, File

WISH = "- file: {path: /x, content: secret:token}"


def test_a_secret_comes_from_the_environment_or_from_a_file_without_its_last_newline(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("two\nlines\n")
    secrets = DeclaredSecrets({"a": Environment("A"), "b": File("token")}, tmp_path, {"A": "one"})

    assert (secrets.resolve("a"), secrets.resolve("b")) == ("one", "two\nlines")


def test_neither_repr_nor_error_shows_a_value(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"s3cret\xff")
    secrets = DeclaredSecrets(
        {"a": Environment("A"), "b": File("binary"), "c": Environment("C")}, tmp_path, {"A": "s3cret", "C": "s3cret\0"}
    )
    secrets.resolve("a")

    errors = []
    for name in ("b", "c"):
        with pytest.raises(VitrifyError) as error:
            secrets.resolve(name)
        errors.append(error.value)

    assert "s3cret" not in repr(secrets)
    assert not any("s3cret" in f"{error}{error!r}{error.__cause__}" for error in errors)


@pytest.mark.parametrize(
    ("head", "wanted", "rest"),
    [
        ("secrets: {tokn: {env: T}}", "9:35 there is no secret `token`", "did you mean `tokn`?"),
        ("vars: {}", "9:35 there is no secret `token`", "secrets: {token: {env: VARIABLE}}"),
        ("secrets: {token: {env: T}}", "9:35 the secret `token` cannot be had", "T is not set"),
        ("secrets: {token: {file: none}}", "9:35 the secret `token` cannot be had", "none: No such file"),
        ("secrets: {token: {file: t, env: T}}", "3:11 a secret comes from one place", "`env: VARIABLE`, `file: PATH`, or one of"),
        ("secrets: {token: {}}", "3:11 a secret comes from one place", ""),
        ("secrets: {token: {envv: T}}", "3:19 there is no key `envv`", "did you mean `env`?"),
        ("secrets: {token: {env: 1T}}", "3:24 '1T' is not a name", ""),
    ],
)
def test_a_secret_that_cannot_be_had_is_told_by_name(project: Project, head: str, wanted: str, rest: str) -> None:
    problems = project.problems(project.server(WISH, head=head))

    place = problems[0].where
    assert place
    assert f"{place.line}:{place.column} {problems[0].summary}" == wanted
    assert rest in problems[0].why + problems[0].hint


def test_a_variable_that_is_not_set_is_told_with_the_way_to_set_it(project: Project) -> None:
    (found, *_) = project.problems(project.server(WISH, head="secrets: {token: {env: T}}"))

    assert "as in `T=… vitrify plan`" in found.hint


def test_a_secret_that_nobody_uses_need_not_be_there(project: Project) -> None:
    assert project.load(project.server("- directory: /x", head="secrets: {token: {env: T}}")).servers[0].secrets == {}


def test_a_secret_for_an_environment_must_fit_into_one(project: Project) -> None:
    line = "- process: {name: web, command: [/x], env: {A: secret:token}}"

    found, _ = project.problem(project.server(line, head="secrets: {token: {env: T}}"), environ={"T": "a\x07b"})

    assert found.startswith("9:54 a secret that goes into an environment")
