"""`vitrify watch` as a person and as a program read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vitrify.cli.exits import Exit
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.drift import Actor, Class, Finding
from vitrify.core.watched import Seen

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console

WHO = Actor(91, "/usr/bin/dash", "sh -c x\x1b[2J", 0, 1000, 5.0)
SEEN = Seen(Finding("db", "local", "/srv/x", "added", ("file",), Class.UNAUTHORISED, "audit", answer="report", who=str(WHO), actor=WHO))


def test_a_finding_says_who_did_it_and_as_whom_they_logged_in(console: Console) -> None:
    console.app.watched = (SEEN,)

    ended = console("watch", "db")

    assert ended.code is Exit.DONE
    assert console.app.calls == [("watch", {"names": ("db",)})]
    assert "by /usr/bin/dash (process 91, uid 0, logged in as uid 1000)" in ended.out
    assert "\x1b" not in ended.out


def test_a_program_reads_one_document_a_line(console: Console) -> None:
    console.app.watched = (SEEN, Seen(SEEN.finding, before=True))

    one, two = map(json.loads, console("watch", "-o", "ndjson").out.splitlines())

    assert (one["schema"], one["before"], two["before"]) == ("vitrify.dev/watch/v1", False, True)
    assert one["finding"]["actor"]["pid"] == 91


def test_where_nothing_can_be_watched_it_is_a_usage_error(console: Console) -> None:
    console.app.fails_in["watch"] = UsageInvalid("there is nothing to watch")

    assert console("watch").code is Exit.USAGE
