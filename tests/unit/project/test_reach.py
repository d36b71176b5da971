"""Hosts are called early only where nothing can have changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.trial import Project

from vitrify.core.declaration import Host
from vitrify.project.reach import Reach, remember, remembered

DECLARATION = """\
version: 1
project: shop
ssh: {sudo_password: secret:sudo}
secrets: {sudo: {file: ./password}}
servers:
  web: {lifecycle: mutable, hosts: [local, "ssh://admin@web1:2222"], resources: [{directory: /srv}]}
  db: {lifecycle: mutable, hosts: ["ssh://db1"], resources: [{directory: /srv}]}
"""
WEB = Host("ssh://admin@web1:2222", address="web1", user="admin", port=2222)
DB = Host("ssh://db1", address="db1")


@pytest.fixture
def path(project: Project, tmp_path: Path) -> Path:
    (project.folder / "password").write_text("of sudo")
    declaration = project.load(DECLARATION)
    path = project.folder / "vitrify.yaml"
    remember(tmp_path / "home", path, declaration)
    return path


def test_the_hosts_of_a_declaration_are_remembered_and_no_password_is(path: Path, tmp_path: Path) -> None:
    known = remembered(tmp_path / "home", path)

    assert known.hosts((), ()) == (WEB, DB)
    assert known.asks
    assert not [file for file in (tmp_path / "home").rglob("*.json") if "of sudo" in file.read_text()]


def test_only_the_chosen_servers_are_called(path: Path, tmp_path: Path) -> None:
    known = remembered(tmp_path / "home", path)

    assert known.hosts(("w*",), ()) == (WEB,)
    assert known.hosts((), ("web",)) == (DB,)


def test_a_declaration_that_changed_or_was_never_read_calls_nobody(path: Path, tmp_path: Path) -> None:
    path.write_text(path.read_text() + "# changed\n")

    assert remembered(tmp_path / "home", path) == Reach()
    assert remembered(tmp_path / "another home", path) == Reach()


def test_what_cannot_be_read_calls_nobody(path: Path, tmp_path: Path) -> None:
    (kept,) = (tmp_path / "home" / "reach").iterdir()

    for content in (b"", b"[]", b'{"declaration": 1}', kept.read_bytes().replace(b"address", b"adress")):
        kept.write_bytes(content)
        assert remembered(tmp_path / "home", path) == Reach()


def test_a_declaration_without_hosts_over_ssh_leaves_nothing(project: Project, tmp_path: Path) -> None:
    server = "{lifecycle: mutable, hosts: [local], resources: [{directory: /srv}]}"
    declaration = project.load(f"version: 1\nproject: shop\nservers: {{web: {server}}}\n")

    remember(tmp_path / "home", project.folder / "vitrify.yaml", declaration)

    assert not (tmp_path / "home").exists()
