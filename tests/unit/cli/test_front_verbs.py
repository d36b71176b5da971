"""The verbs that only read: explain, schema, inventory, completion."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import pytest

from vitrify.cli.exits import Exit
from vitrify.project.editors import schema
from vitrify.resources.registry import all_kinds

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
    assert json.loads(printed) == schema(all_kinds()), "which test_editors shows to be a schema"
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
        ("vitrify ex", ["export", "exec", "explain"]),
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


INVENTORY = "[web]\na ansible_user=me ansible_become=yes\n"


def test_an_inventory_is_printed_and_what_has_no_place_is_told_beside_it(console: Console, tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text(INVENTORY)

    ended = console("inventory", "import", str(file), "--format", "ansible-ini")

    assert ended.out == "groups:\n  web:\n    hosts:\n      - ssh://me@a\n"
    assert ended.err == f"note: {file}: `ansible_become` of host a has no place in a declaration: who to become is no variable here\n"


def test_an_inventory_is_a_document_or_a_file_where_that_is_asked_for(console: Console, tmp_path: Path) -> None:
    file, out = tmp_path / "hosts", tmp_path / "groups.yaml"
    file.write_text(INVENTORY)
    words = ("inventory", "import", str(file), "--format", "ansible-ini")

    document = json.loads(console(*words, "-o", "json").out)
    written = console(*words, "-o", str(out))

    assert document["schema"] == "vitrify.dev/inventory/v1"
    assert document["groups"] == {"web": {"hosts": [{"at": "ssh://me@a", "vars": {}}], "vars": {}}}
    assert len(document["remarks"]) == 1
    assert out.read_text().startswith("groups:\n  web:")
    assert written.out == ""
    assert "Written: 1 group, 1 note." in written.err
    assert console(*words, "--out", str(tmp_path / "no" / "where")).code is Exit.USAGE
    assert console("inventory", "import", str(file), "--format", "toml").code is Exit.USAGE


def test_contract_shows_what_it_will_do_and_says_what_it_did(console: Console) -> None:
    ended = console("contract", "web", "--now", "-y")

    assert "Contract web release 2; no release before it can become live again:" in ended.err
    assert "migrate contract" in ended.err
    assert "web release 2 is contracted." in ended.out
    assert console.app.calls == [("owed", {"server": "web"}), ("contract", {"server": "web", "now": True, "skip": False})]


def test_a_contract_can_be_passed_over_and_not_both(console: Console) -> None:
    assert "The contract of web release 2 is passed over." in console("contract", "web", "--skip", "-y").out
    assert console("contract", "web", "--skip", "--now", "-y").code == 64
