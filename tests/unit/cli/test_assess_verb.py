"""`vitrify assess`: short and aligned on a screen, whole with -v, a document, a page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from tests.unit.cli.assess_answers import WEB
from tests.unit.cli.conftest import Console

from vitrify.cli.exits import Exit
from vitrify.core.assess.assessment import Assessment


@pytest.mark.parametrize("words", [(), ("-v",), ("-o", "json")], ids=["short", "whole", "json"])
def test_an_assessment_reads_well(console: Console, snapshot: SnapshotAssertion, words: tuple[str, ...]) -> None:
    ended = console("assess", *words, "--color", "never", environ={"COLUMNS": "92"})

    assert f"exit {int(ended.code)}\n{ended.out}--- stderr\n{ended.err}" == snapshot


def test_it_keeps_within_a_narrow_screen(console: Console) -> None:
    ended = console("assess", "--color", "never", tty=True, environ={"COLUMNS": "80"})

    assert max(len(each) for each in ended.out.splitlines()) <= 80


def test_the_page_stands_alone_and_tells_the_same(console: Console, tmp_path: Path) -> None:
    ended = console("assess", "--page", str(tmp_path / "a.html"))

    written = (tmp_path / "a.html").read_text()
    assert "Written: " in ended.err
    assert "<h1>Assessment of shop</h1>" in written
    assert "cannot act while an image is baked: swap:/swapfile" in written
    assert "http" not in written.replace("http-equiv", "")


def test_a_page_that_cannot_be_written_is_refused_before_any_host_is_asked(console: Console, tmp_path: Path) -> None:
    ended = console("assess", "--page", str(tmp_path / "nowhere" / "a.html"))

    assert ended.code is Exit.USAGE
    assert ("assess", {"days": 30}) not in console.app.calls


def test_hosts_that_could_not_tell_are_named_and_fail_the_command(console: Console) -> None:
    console.app.assessed_is = replace(console.app.assessed_is, problems=("db on db1: no route to it",))

    ended = console("assess")

    assert ended.code is Exit.HOSTS_FAILED
    assert "x  db on db1: no route to it" in ended.out


def test_where_all_is_well_it_says_that_nothing_speaks_for_a_flip(console: Console) -> None:
    console.app.assessed_is = Assessment(1, 1_800_000_000.0, 1, (WEB,), ())

    assert "The last day, from 1 entry" in console("assess", "--days", "1").out
    assert "Nothing that was measured speaks for a flip." in console("assess", "--days", "1").out
    assert console.app.calls[-1] == ("assess", {"days": 1})


def test_without_servers_there_is_nothing_to_assess(console: Console) -> None:
    console.app.assessed_is = Assessment(30, 1_800_000_000.0, 0, (), ())

    assert console("assess").out == "No servers are declared.\n"
