"""An error says what, where, why and what to do next, to whoever reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from vitrify.cli.exits import Exit
from vitrify.core.diagnostic import Busy, DeclarationInvalid, Diagnostic, Location, TargetFailed

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console

DECLARATION = "version: 1\nproject: shop\nservers:\n  web:\n    resources:\n      - file: {pth: /etc/motd, mode: 0644}\n"


@pytest.fixture
def invalid(console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vitrify.yaml").write_text(DECLARATION)
    console.app.error = DeclarationInvalid(
        [
            Diagnostic("a mode is a string", Location("vitrify.yaml", 6, 39), "YAML 1.2 reads 0644 as decimal", 'write mode: "0644"'),
            Diagnostic("file has no field 'pth'", Location("vitrify.yaml", 6, 16), hint="did you mean path?"),
        ]
    )
    return console


def test_each_problem_shows_its_line_with_a_caret(invalid: Console, snapshot: SnapshotAssertion) -> None:
    ended = invalid("plan")

    assert ended.code is Exit.DECLARATION
    assert ended.err == snapshot


def test_the_line_is_found_in_the_project_folder(invalid: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    assert "- file: {pth: /etc/motd" in invalid("plan", "-C", str(tmp_path)).err


@pytest.mark.parametrize("line", [0, 7, 4000])
def test_a_place_that_is_not_in_the_file_shows_no_line(invalid: Console, line: int) -> None:
    invalid.app.error = DeclarationInvalid([Diagnostic("odd", Location("vitrify.yaml", line, 1))])

    assert invalid("plan").err == f"vitrify.yaml:{line}:1: error: odd\n"


def test_a_long_line_is_cut_around_the_caret(invalid: Console, tmp_path: Path) -> None:
    (tmp_path / "vitrify.yaml").write_text("a" * 500 + "!" + "b" * 500)
    invalid.app.error = DeclarationInvalid([Diagnostic("odd", Location("vitrify.yaml", 1, 501))])

    _, source, caret = invalid("plan", tty=True, environ={"COLUMNS": "80", "NO_COLOR": "1"}).err.splitlines()

    assert len(source) <= 80
    assert source[caret.index("^")] == "!"


def test_the_caret_stands_below_wide_characters(invalid: Console, tmp_path: Path) -> None:
    (tmp_path / "vitrify.yaml").write_text("名前: !x\n")
    invalid.app.error = DeclarationInvalid([Diagnostic("odd", Location("vitrify.yaml", 1, 5))])

    _, source, caret = invalid("plan").err.splitlines()

    assert source.index("!") + 2 == caret.index("^")


def test_an_error_elsewhere_shows_why_and_what_next(console: Console, snapshot: SnapshotAssertion) -> None:
    console.app.error = Busy(
        "somebody else is changing web", why="ann@desk began at 10:15", hint="run the command again when that has ended"
    )

    assert console("apply", "-y").err == snapshot


@pytest.mark.parametrize("form", ["json", "ndjson", "yaml"])
def test_a_program_reads_the_error_as_a_document_on_stderr(invalid: Console, form: str) -> None:
    ended = invalid("plan", "-o", form)

    document = yaml.safe_load(ended.err)
    assert not ended.out
    assert document["schema"] == "vitrify.dev/error/v1"
    assert document["error"] == "DeclarationInvalid"
    assert document["exit"] == 65
    assert document["diagnostics"][0] == {
        "summary": "file has no field 'pth'",
        "hint": "did you mean path?",
        "where": {"file": "vitrify.yaml", "line": 6, "column": 16},
    }


@pytest.mark.parametrize("arguments", [("plan", "-o", "json", "--bogus"), ("plan", "--bogus", "--output=json"), ("-ojson", "aplly")])
def test_a_program_reads_even_a_mistyped_command_line_as_a_document(console: Console, arguments: tuple[str, ...]) -> None:
    ended = console(*arguments)

    assert json.loads(ended.err)["exit"] == 64


def test_github_marks_the_line_in_the_pull_request(invalid: Console) -> None:
    err = invalid("plan", environ={"GITHUB_ACTIONS": "true"}).err

    assert "::error file=vitrify.yaml,line=6,col=16::file has no field 'pth'%0Ahint: did you mean path?\n" in err


def test_a_message_cannot_forge_a_workflow_command(console: Console) -> None:
    console.app.error = TargetFailed("no\n::set-env name=PATH::/evil\r100%")

    commands = [each for each in console("plan", environ={"GITHUB_ACTIONS": "true"}).err.splitlines() if each.startswith("::")]

    assert commands == ["::error::no%0A::set-env name=PATH::/evil%0D100%25"]
