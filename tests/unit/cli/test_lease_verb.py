"""Who has a lease is told; it is taken away after a question, for a reason; and how long to wait for one can be said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from vitrify.cli.exits import Exit
from vitrify.core.diagnostic import Busy
from vitrify.core.plan import HostPlan, Plan
from vitrify.core.report import LeaseView

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console

HELD = LeaseView(
    "web", "local", standing=True, token=7, by="ada@laptop", reason="apply", process=4711, since=1_799_999_990.0, until=1_800_000_050.0
)
FREE = LeaseView("db", "ssh://db", token=3, by="bob@desk", reason="apply", operation="r3", since=1_799_000_000.0, until=1_799_000_060.0)
SILENT = LeaseView("shop", "ssh://shop", problem="no answer")


def test_each_server_is_told_with_who_has_it_and_until_when(console: Console) -> None:
    console.app.leases_are = (HELD, FREE, SILENT)

    ended = console("lease", "show", "-v")

    assert ended.code is Exit.DONE
    assert "held, token 7" in ended.out
    assert "ada@laptop" in ended.out
    assert "process 4711" in ended.out
    assert "until 2027-01-15 08:00:50Z unless renewed" in ended.out
    assert "free, last token 3" in ended.out
    assert "ssh://shop: no answer" in ended.out


def test_the_document_says_the_same(console: Console) -> None:
    console.app.leases_are = (HELD,)

    document = json.loads(console("lease", "show", "web", "-o", "json").out)

    assert document["schema"] == "vitrify.dev/leases/v1"
    assert document["leases"][0]["token"] == 7
    assert console.app.calls == [("leases", {"server": "web"})]


def test_a_lease_is_taken_away_with_a_reason_and_a_yes(console: Console) -> None:
    console.app.leases_are = (HELD,)

    assert console("lease", "release", "web", "-y").code is Exit.USAGE
    assert console("lease", "release", "web", "--reason", "gone").code is Exit.USAGE
    assert console.app.asked == ["leases"]
    ended = console("lease", "release", "web", "--reason", "gone", "-y")

    assert ended.code is Exit.DONE
    assert "Taken away: the lease of web on local that ada@laptop had, token 7." in ended.out
    assert console.app.calls[-1] == ("release_lease", {"server": "web", "reason": "gone"})


@pytest.mark.parametrize(("words", "seconds"), [((), 0.0), (("--wait",), float("inf")), (("--wait=90s",), 90.0), (("--wait=2h",), 7200.0)])
def test_how_long_to_wait_can_be_said(console: Console, words: tuple[str, ...], seconds: float) -> None:
    console("undo", *words, "db", "-y")
    console(*words, "undo", "db", "-y")

    assert [scope.wait for scope in console.app.scopes] == [seconds, seconds]


def test_what_is_no_duration_is_refused(console: Console) -> None:
    ended = console("apply", "--wait=soon")

    assert ended.code is Exit.USAGE
    assert "'soon' is not a duration" in ended.err


def test_an_apply_that_meets_another_is_told_before_it_shows_or_asks_anything(console: Console) -> None:
    console.app.plan_is = Plan("shop", "", (HostPlan("web", "local", (), (), (), "", run="r1", held="ada: apply r1"),))
    console.app.fails_in = {"free": Busy("web is being changed on local", why="ada: apply r1")}

    ended = console("apply", "-y")

    assert ended.code is Exit.BUSY
    assert "unfinished" not in ended.out + ended.err
    assert "web is being changed on local" in ended.err


def test_a_plan_beside_another_apply_says_so_and_not_that_it_would_go_on_with_it(console: Console) -> None:
    console.app.plan_is = Plan("shop", "", (HostPlan("web", "local", (), (), (), "", run="r1", held="ada: apply r1"),))

    out = console("plan").out

    assert "is being changed right now by ada: apply r1" in out
    assert "unfinished" not in out
