"""How often a server is looked after: what holds for all, what it says itself, and each mistake where it stands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # brings no types
from tests.trial import Project

from vitrify.core.schedule import NEVER, Schedule
from vitrify.project.editors import schema
from vitrify.project.touched import signature
from vitrify.resources.registry import all_kinds

FILE = "- directory: /srv"


def test_what_nobody_says_is_as_it_always_is(project: Project) -> None:
    declaration = project.load(project.server(FILE))

    assert declaration.schedule == declaration.servers[0].schedule == Schedule()


def test_a_server_has_what_all_have_but_for_what_it_says_itself(project: Project) -> None:
    text = project.server(FILE, head="schedule: {audit: 2h, keep: 1m}", keys="    schedule: {keep: never, health: 5s}\n")

    declaration = project.load(text)

    assert declaration.schedule == Schedule(keep=60.0, audit=7200.0)
    assert declaration.servers[0].schedule == Schedule(keep=NEVER, health=5.0, audit=7200.0)


def test_variables_say_how_often_for_all_and_for_one(project: Project) -> None:
    head = 'vars: {slow: 3h}\nschedule: {audit: "${var.slow}"}'

    declaration = project.load(project.server(FILE, head=head, keys='    schedule: {retention: "${var.slow}"}\n'))

    assert declaration.servers[0].schedule == Schedule(audit=10800.0, retention=10800.0)


@pytest.mark.parametrize(
    ("written", "summary", "hint"),
    [
        ("{audit: 10}", "3:19 a duration has a unit", "as in 10s"),
        ("{audit: often}", "3:19 this is no interval", "or `never`"),
        ("{audit: 500ms}", "3:19 this is too often", "at least 1s"),
        ("{audit: }", "3:19 nothing is written here", "take the key out"),
        ("{odit: 1h}", "3:12 there is no key `odit`", "did you mean `audit`?"),
        ("10s", "3:11 expected a map, not text", ""),
    ],
)
def test_a_mistake_is_told_where_it_stands(project: Project, written: str, summary: str, hint: str) -> None:
    told, more = project.problem(project.server(FILE, head=f"schedule: {written}"))

    assert told == summary
    assert hint in more


@pytest.mark.parametrize(("written", "right"), [("{audit: 1h, keep: never}", True), ("{audit: often}", False), ("{odit: 1h}", False)])
def test_the_schema_for_editors_says_the_same(project: Project, written: str, right: bool) -> None:  # noqa: FBT001  a column
    document = yaml.safe_load(project.server(FILE, head=f"schedule: {written}", keys=f"    schedule: {written}\n"))

    errors = list(Draft202012Validator(schema(all_kinds())).iter_errors(document))

    assert len(errors) == (0 if right else 2)


def test_whatever_is_written_added_or_removed_is_noticed_but_for_what_is_not_the_projects(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for folder in (tmp_path / "app", tmp_path / ".git", home):
        folder.mkdir()
    (tmp_path / "app" / "one").write_text("1")
    before = signature(str(tmp_path), but=str(home))

    (home / "state").write_text("ours")
    (tmp_path / ".git" / "index").write_text("git's")
    (tmp_path / "app" / "here").symlink_to(tmp_path)
    assert signature(str(tmp_path), but=str(home)) != before
    (tmp_path / "app" / "here").unlink()
    assert signature(str(tmp_path), but=str(home)) == before
    os.utime(tmp_path / "app" / "one", ns=(1, 1))
    assert signature(str(tmp_path), but=str(home)) != before
