"""What is in quarantine is told; what becomes of it is asked first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vitrify.cli.exits import Exit

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console


def test_each_thing_is_told_with_what_it_was_and_the_finding(console: Console) -> None:
    ended = console("quarantine", "list")

    assert ended.code is Exit.DONE
    for told in ("5f1c20-118", "/srv/app/new", "web-r3-00aa-0", "instance", "2026-02-02 02:40:00Z", "118"):
        assert told in ended.out
    assert [one["id"] for one in json.loads(console("quarantine", "list", "-o", "json").out)["entries"]] == ["5f1c20-118", "web-r3-00aa-0"]


def test_where_nothing_is_in_quarantine_that_is_said(console: Console) -> None:
    console.app.evidence = ()

    assert "Nothing is in quarantine." in console("quarantine", "list").out


def test_nothing_is_put_back_or_discarded_without_a_yes(console: Console) -> None:
    for words in (("put-back",), ("discard",)):
        assert console("quarantine", *words, "5f1c20-118").code is Exit.USAGE
    back, gone = (console("quarantine", word, "5f1c20-118", "-y") for word in ("put-back", "discard"))

    assert "Back where it was: /srv/app/new on local" in back.out
    assert "Gone: /srv/app/new of db on local." in gone.out
