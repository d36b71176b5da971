"""Drift is written into the declaration as it is read from the host, and what cannot be expressed is refused with why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench import Bench, Killed, do
from looking import converge

from vitrify.core.declaration import Declaration, Server
from vitrify.core.diagnostic import PlanStale, UsageInvalid
from vitrify.lifecycle.adopting import adopt, adoption
from vitrify.lifecycle.world import Desk, World
from vitrify.project.load import load
from vitrify.resources.registry import all_kinds
from vitrify.testing.engine import quick_folder

TEXT = """\
version: 1
project: shop
# everything that db is
servers:
  db:
    lifecycle: mutable
    hosts: ["root:machine"]
    resources:
      - directory: {path: /srv, mode: "0755"}
      - file: {path: /etc/motd, content: "hello\\n", mode: "0644"}  # what they see
      - file: {path: /etc/long, source: ./long}
      - file: {path: /etc/key, content: "k\\n", mode: "0600"}
"""


class Project:
    """A project on disk, and the machine that it converged."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bench, self.machine = folder, Bench(), folder / "machine"
        for made in ("machine/etc", "machine/srv"):
            (folder / made).mkdir(parents=True)
        (folder / "long").write_text("one\n")
        self.file = folder / "vitrify.yaml"
        self.file.write_text(TEXT)
        converge(self.bench, self.server)

    @property
    def server(self) -> Server:
        found: Declaration = load(str(self.folder), environ=dict(os.environ), overrides={}, kinds=all_kinds(), key=b"0" * 32)
        return found.servers[0]

    @property
    def world(self) -> World:
        return replace(self.bench.world, desk=Desk(str(self.folder)))

    def adopt(self, path: str) -> int:
        return adopt(do(adoption([self.server], path, self.world)), self.world)

    def changes(self) -> list[str]:
        from vitrify.lifecycle import mutable

        server = self.server
        return [str(one.resource.address) for one in do(mutable.plan(server, server.hosts[0], self.world)).changes]


@pytest.fixture
def project() -> Iterator[Project]:
    with quick_folder() as folder:
        yield Project(folder)


def test_what_drifted_is_declared_and_then_nothing_is_left_to_change(project: Project) -> None:
    (project.machine / "etc/motd").write_text("the new ${proxy}\n")
    (project.machine / "etc/motd").chmod(0o640)
    (project.machine / "etc/motd").chmod(0o664)

    project.adopt("/etc/motd")

    declared = '- file: {path: /etc/motd, content: "the new $${proxy}\\n", mode: "0664"}  # what they see\n'
    assert project.file.read_text() == TEXT.replace(
        '- file: {path: /etc/motd, content: "hello\\n", mode: "0644"}  # what they see\n', declared
    )
    assert project.changes() == []
    assert project.bench.bodies("adopt.done")[0]["fields"] == ["mode", "content"]


def test_a_content_that_is_taken_from_a_file_goes_to_that_file(project: Project) -> None:
    (project.machine / "etc/long").write_text("one\ntwo\n")

    found = do(adoption([project.server], "/etc/long", project.world))
    adopt(found, project.world)

    assert [patch.file for patch in found.patches] == ["long"]
    assert (project.folder / "long").read_text() == "one\ntwo\n"
    assert project.file.read_text() == TEXT


def test_what_nobody_declared_is_a_resource_from_then_on(project: Project) -> None:
    (project.machine / "srv/new").write_text("x\n")
    (project.machine / "srv/new").chmod(0o644)

    project.adopt("/srv/new")

    assert project.file.read_text().startswith(TEXT)
    assert "file:/srv/new" in [str(wish.address) for wish in project.server.resources]
    assert project.changes() == []


@pytest.mark.parametrize(
    ("path", "mode", "content", "why"),
    [
        ("/etc/key", 0o600, b"other\n", "not text that everybody may read"),
        ("/etc/motd", 0o644, b"\0", "not text that everybody may read"),
        ("/srv/new", 0o600, b"x", "not text that everybody may read"),
        ("/srv/none", 0, None, "nothing is there"),
    ],
)
def test_what_cannot_be_expressed_is_refused_with_why(project: Project, path: str, mode: int, content: bytes | None, why: str) -> None:
    target = Path(f"{project.machine}{path}")
    if content is not None:
        target.write_bytes(content)
        target.chmod(mode)

    with pytest.raises(UsageInvalid, match=why):
        project.adopt(path)

    assert project.file.read_text() == TEXT


def test_what_is_gone_or_as_it_is_declared_is_refused(project: Project) -> None:
    with pytest.raises(UsageInvalid, match="is as it is declared"):
        project.adopt("/etc/motd")
    (project.machine / "etc/motd").unlink()
    with pytest.raises(UsageInvalid, match="it is gone"):
        project.adopt("/etc/motd")


def test_a_declaration_that_changed_since_the_patch_was_seen_is_left_alone(project: Project) -> None:
    (project.machine / "etc/motd").write_text("drift\n")
    found = do(adoption([project.server], "/etc/motd", project.world))
    project.file.write_text(f"{TEXT}# a new line\n")

    with pytest.raises(PlanStale, match="changed while you looked"):
        adopt(found, project.world)

    assert project.file.read_text() == f"{TEXT}# a new line\n"


@pytest.mark.parametrize("point", ["adopt.intent", "adopt.act", "adopt.outcome"])
def test_killed_anywhere_the_same_command_ends_it_once(project: Project, point: str) -> None:
    (project.machine / "etc/motd").write_text("drift\n")
    project.bench.die_at = point
    with pytest.raises(Killed):
        project.adopt("/etc/motd")

    if point != "adopt.outcome":
        project.adopt("/etc/motd")

    assert "drift" in project.file.read_text()
    assert len(project.bench.bodies("adopt.intended")) == len(project.bench.bodies("adopt.done")) == 1
