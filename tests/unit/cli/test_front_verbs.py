"""The verbs that need nothing but a declaration, or not even that: explain, schema, completion."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # brings no types

from vitrify.cli.exits import Exit

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console

TEXT = """\
version: 1
project: shop
vars: {who: project}
environments: {prod: {vars: {who: prod}}}
groups: {eu: {hosts: ["root:./a"]}}
servers:
  web: {lifecycle: mutable, hosts: [local, eu], resources: []}
"""


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "vitrify.yaml").write_text(TEXT)
    return str(tmp_path)


def test_explain_shows_the_value_its_place_and_what_it_overrode(console: Console, folder: str) -> None:
    ended = console("explain", "who", "--host", "root:./a", "-e", "prod", "-C", folder)

    assert ended.code is Exit.DONE
    assert ended.out.splitlines() == [
        "web on root:./a",
        f'  "prod"  environment prod  {folder}/vitrify.yaml:4:35',
        f'  "project"  project  {folder}/vitrify.yaml:3:13  overridden',
    ]


def test_explain_as_a_document_names_its_schema(console: Console, folder: str) -> None:
    document = json.loads(console("explain", "who", "-C", folder, "-o", "json").out)

    assert document["schema"] == "vitrify.dev/explained/v1"
    assert [host["host"] for host in document["hosts"]] == ["local", "root:./a"]


def test_schema_prints_one_that_editors_can_use(console: Console, tmp_path: Path) -> None:
    file = tmp_path / "vitrify.schema.json"

    printed = console("schema").out
    console("schema", "--out", str(file))

    assert json.loads(printed) == json.loads(file.read_text()) == json.loads(console("schema", "-o", "json").out)
    Draft202012Validator.check_schema(json.loads(printed))
    assert console("schema", "--out", str(tmp_path / "no" / "where")).code is Exit.USAGE


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_that_asks_vitrify(console: Console, shell: str) -> None:
    script = console("completion", shell).out

    assert f"_VITRIFY_COMPLETE={shell}_complete" in script


@pytest.mark.skipif(not which("bash"), reason="no bash")
def test_the_script_for_bash_is_one_that_bash_can_read(console: Console) -> None:
    script = console("completion", "bash").out

    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_a_shell_that_is_not_known_is_refused(console: Console) -> None:
    assert console("completion", "tcsh").code is Exit.USAGE


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("vitrify ex", ["explain"]),
        ("vitrify -C {folder} plan -l ", ["web", "eu", "local", "root:./a"]),
        ("vitrify plan -C {folder} --exclude e", ["eu"]),
        ("vitrify plan -C {folder} -e ", ["prod"]),
        ("vitrify plan -C /nowhere -e ", []),
    ],
)
def test_verbs_and_names_are_completed(folder: str, words: str, offered: list[str]) -> None:
    from click.shell_completion import BashComplete

    from vitrify.cli.group import vitrify

    *before, incomplete = words.format(folder=folder).split(" ")[1:]

    found = BashComplete(vitrify, {}, "vitrify", "_VITRIFY_COMPLETE").get_completions(before, incomplete)

    assert [item.value for item in found] == offered
