"""Whoever goes back, promotes, aborts or pauses is told before what that does, and afterwards what was done."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from vitrify.cli.exits import Exit
from vitrify.core.plan import HostProblem, Plan, ReleasePlan
from vitrify.core.report import Applied, ReleaseStatus, ServerStatus
from vitrify.core.rollout_report import RolloutStatus
from vitrify.core.strategy import Course

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console


def test_a_warm_way_back_is_at_once_and_says_for_how_long(console: Console) -> None:
    ended = console("rollback", "web", tty=True, answer="y\n")

    assert "Roll back web: release 3 goes live in place of release 4." in ended.err
    assert "warm: its instances run, so it goes live at once; they run for 7 min more" in ended.err


@pytest.mark.parametrize(("tier", "told"), [("stopped", "its instances are stopped"), ("image", "only its image is left")])
def test_a_cold_way_back_says_what_has_to_be_launched(console: Console, tier: str, told: str) -> None:
    console.app.way_back_is = replace(console.app.way_back_is, tier=tier, launch=2, left=None)

    ended = console("rollback", "web", tty=True, answer="n\n")

    assert f"{tier}: {told}; 2 instances to launch, which must be healthy first" in ended.err


def test_who_does_not_want_to_be_asked_does_not_wait_for_a_look(console: Console) -> None:
    ended = console("rollback", "web", "-y")

    assert "release 3 goes live in place of release 4" in ended.err
    assert "warm:" not in ended.err


@pytest.mark.parametrize("words", [("rollback", "web", "3"), ("rollback", "web", "--to", "3"), ("rollback", "web", "3", "--to", "3")])
def test_a_release_is_named_behind_the_server_or_by_the_flag(console: Console, words: tuple[str, ...]) -> None:
    console(*words, "-y")

    assert console.app.calls[0] == ("way_back", {"server": "web", "to": 3})


def test_two_releases_at_once_are_refused(console: Console) -> None:
    ended = console("rollback", "web", "3", "--to", "4", "-y")

    assert ended.code is Exit.USAGE
    assert "Release 3 or release 4?" in ended.err


def test_what_is_promoted_is_told_before(console: Console) -> None:
    ended = console("promote", "web", "--everything", "-y")

    assert "Promote web: release 5 of web waits with 25% of the requests." in ended.err
    assert console.app.calls[-1] == ("promote", {"server": "web", "everything": True})


def test_what_is_aborted_and_what_serves_on_is_told(console: Console) -> None:
    ended = console("abort", "web", "-y")

    assert ended.out == "Taken back: release 5 of web; release 4 serves on.\n"
    assert json.loads(console("abort", "web", "-y", "-o", "json").out)["live"] == 4


def test_a_pause_says_how_long_a_request_is_held(console: Console) -> None:
    ended = console("pause", "web", "--at-most", "5s", "-y")

    assert "held for 5 s at most" in ended.out
    assert console.app.calls[-1] == ("pause", {"server": "web", "at_most": 5.0})
    assert "turned away" in console("pause", "web", "--at-most", "0s", "-y").out
    assert console("pause", "web", "--at-most", "2h", "-y").code is Exit.USAGE


@pytest.mark.parametrize(("held", "told"), [(True, "Requests go through again."), (False, "Nothing was held")])
def test_a_resume_says_whether_anything_was_held(console: Console, held: bool, told: str) -> None:  # noqa: FBT001  a row of a table
    console.app.held = held

    assert told in console("resume", "web").out


def test_an_apply_that_waits_says_for_what_and_where_to_look(console: Console) -> None:
    console.app.plan_is = Plan("shop", "sha256:0", (ReleasePlan("web", "local", "release", 5, 4, ()),))
    waits = replace(console.app.released_is, waits="release 5 of web waits: `vitrify promote web`", preview="http://next.shop.example/")
    console.app.applied_is = Applied(releases=(waits,))

    ended = console("apply", "-y")

    assert ended.code is Exit.DONE
    assert ended.out.splitlines()[-2:] == [
        "...  release 5 of web waits: `vitrify promote web`",
        "     preview   http://next.shop.example/",
    ]


def test_a_plan_tells_the_strategy_and_how_many_instances_it_takes(console: Console) -> None:
    course = Course("canary", 2, ("requests: 5% for 10m, then all",))
    console.app.plan_is = Plan("shop", "sha256:0", (ReleasePlan("web", "local", "release", 5, 4, (), launch=2, course=course),))

    lines = [line.strip() for line in console("plan").out.splitlines()]

    assert "canary, at most 2 instances more than now at a time" in lines
    assert "requests: 5% for 10m, then all" in lines


def test_a_plan_of_what_waits_is_not_that_all_is_as_declared(console: Console) -> None:
    because = ("release 5 waits before it gets any request: `vitrify promote web` or `vitrify abort web`",)
    console.app.plan_is = Plan("shop", "sha256:0", (ReleasePlan("web", "local", "waiting", 5, 4, because),))

    out = console("plan").out

    assert because[0] in out
    assert "No changes. What is declared waits to be promoted." in out
    assert "as declared" not in out


def test_status_tells_where_a_rollout_stands(console: Console) -> None:
    rollout = RolloutStatus(5, "release", "canary", "waiting", "with 25% of the requests: `vitrify promote web`", 25)
    found = ServerStatus("web", "immutable", ("local",), live=4, unfinished="release of release 5", rollout=rollout)
    console.app.status_is = (replace(found, paused=True, preview="http://next.shop.example/"),)

    out = console("status").out

    assert "rollout canary, release 5 waits with 25% of the requests: `vitrify promote web`" in out
    assert "preview http://next.shop.example/" in out
    assert "requests are held until `vitrify resume web`" in out
    assert "`vitrify apply` ends it" not in out


def test_status_tells_how_far_a_rollout_came_that_nobody_looks_after(console: Console) -> None:
    rollout = RolloutStatus(5, "release", "recreate", "requests are held", "", None)
    console.app.status_is = (ServerStatus("web", "immutable", ("local",), live=4, unfinished="release of release 5", rollout=rollout),)

    assert "rollout recreate, release 5: requests are held" in console("status").out


def test_who_goes_back_while_a_release_is_on_its_way_in_is_told_that_abort_may_be_meant(console: Console) -> None:
    console.app.way_back_is = replace(console.app.way_back_is, ends=5)

    told = "release 5 has not ended; that is done first, and `vitrify abort web` does no more than that"
    assert told in console("rollback", "web", "-y").err


def test_a_plan_that_only_ends_what_was_begun_replaces_no_instance(console: Console) -> None:
    because = ("what was begun with release 5 is not wanted any more",)
    console.app.plan_is = Plan("shop", "sha256:0", (ReleasePlan("web", "local", "replace", 4, 4, because),))

    out = console("plan").out

    assert "keep      release 4, with the instances that it has" in out
    assert "-/+" not in out


def test_a_recreated_release_takes_no_instance_more(console: Console) -> None:
    console.app.plan_is = Plan("shop", "sha256:0", (ReleasePlan("web", "local", "release", 5, 4, (), course=Course("recreate", 0, ())),))

    assert "recreate, no instance more than now at a time" in console("plan").out


def test_releases_leave_out_the_image_where_the_screen_is_too_narrow(console: Console) -> None:
    release = ReleaseStatus("web", 5, "prepared", "", "sha256:" + "ab12" * 16, 0.0, 2, notes=("expanded",), tier="warm")
    console.app.releases_is = (release,)

    narrow, wide = (console("releases", environ={"COLUMNS": wide}).out for wide in ("80", "120"))

    assert "prepared, expanded" in narrow
    assert "sha256" not in narrow
    assert "sha256:ab12ab12ab12" in wide


EAST, WEST = "ssh://east", "ssh://west"
AWAY = HostProblem("web", WEST, "ssh://west does not answer", unreachable=True)


def test_what_waits_on_several_hosts_is_told_once_with_each_host(console: Console) -> None:
    waits = "release 5 of web waits with 25% of the requests: `vitrify promote web` or `vitrify abort web`"
    one = replace(console.app.released_is, waits=waits, host=EAST, url="http://east/")
    console.app.ends_with = Applied(releases=(one, replace(one, host=WEST, preview="http://next.west/")))

    ended = console("promote", "web", "-y")

    assert ended.code is Exit.DONE
    assert ended.out.splitlines() == [
        f"...  {waits}",
        "     on        ssh://east  http://east/",
        "     on        ssh://west  preview http://next.west/",
    ]
    document = json.loads(console("promote", "web", "-y", "-o", "json").out)
    assert ([host["host"] for host in document["hosts"]], document["waits"]) == ([EAST, WEST], waits)


def test_with_a_host_that_is_away_nobody_is_promoted_and_that_is_told(console: Console) -> None:
    console.app.ends_with = Applied(problems=(AWAY,), held=(("web", EAST),), stopped=True)

    ended = console("promote", "web", "-y")

    assert ended.code is Exit.UNREACHABLE
    assert "web on ssh://west: unreachable" in ended.out
    assert "web on ssh://east: left as it is" in ended.out


def test_an_abort_tells_of_hosts_that_were_away(console: Console) -> None:
    returned = replace(console.app.released_is, kind="returned", release=4, host=EAST)
    console.app.ends_with = Applied(releases=(returned,), problems=(AWAY,))

    ended = console("abort", "web", "-y")

    assert ended.code is Exit.UNREACHABLE
    assert ended.out.splitlines()[:2] == ["Taken back: release 5 of web; release 4 serves on.", "x    web on ssh://west: unreachable"]
    document = json.loads(console("abort", "web", "-y", "-o", "json").out)
    assert (document["hosts"], [one["host"] for one in document["problems"]]) == ([{"host": EAST, "live": 4}], [WEST])


def test_a_pause_that_could_not_be_had_everywhere_holds_nothing(console: Console) -> None:
    console.app.ends_with = Applied(problems=(AWAY,), held=(("web", EAST),), stopped=True)

    ended = console("pause", "web", "-y")

    assert (ended.code, "Paused" in ended.out) == (Exit.UNREACHABLE, False)
    assert json.loads(console("pause", "web", "-y", "-o", "json").out)["paused"] is False


def test_a_resume_tells_of_hosts_that_were_away(console: Console) -> None:
    console.app.ends_with = Applied(problems=(AWAY,))

    ended = console("resume", "web")

    assert ended.code is Exit.UNREACHABLE
    assert ended.out.splitlines()[:2] == ["Requests go through again.", "x    web on ssh://west: unreachable"]


def test_status_tells_of_a_waiting_release_that_lacks_an_instance(console: Console) -> None:
    rollout = RolloutStatus(5, "release", "canary", "waiting", "with 25% of the requests: `vitrify promote web`", 25, lacking=1)
    console.app.status_is = (ServerStatus("web", "immutable", ("local",), live=4, rollout=rollout),)

    assert "lacking 1 instance of release 5 does not run  (`vitrify apply` starts what is lacking)" in console("status").out
    assert json.loads(console("status", "-o", "json").out)["servers"][0]["rollout"]["lacking"] == 1


@pytest.mark.parametrize(("unreachable", "code"), [(True, Exit.UNREACHABLE), (False, Exit.HOSTS_FAILED)])
@pytest.mark.parametrize("words", [("status",), ("releases",), ("logs", "web")])
def test_who_looks_is_told_of_hosts_that_cannot_tell_and_sees_the_others(
    console: Console,
    words: tuple[str, ...],
    unreachable: bool,  # noqa: FBT001  a row of a table
    code: Exit,
) -> None:
    problem = replace(AWAY, unreachable=unreachable)
    console.app.status_is = (ServerStatus("web", "mutable", (EAST, WEST), owned=3, problem=problem.why, problems=(problem,)),)
    console.app.releases_is = (ReleaseStatus("web", 2, "live", "live", "sha256:aa", 1.0, 4, (EAST, WEST)),)
    console.app.logs_are, console.app.problems_are = "GET / 200\n", (problem,)

    ended = console(*words)

    assert ended.code is code
    assert any(told in ended.out for told in ("3 resources managed", "sha256:aa", "GET / 200"))
    assert "ssh://west" in ended.out
    assert ("unreachable" in ended.out) is unreachable
    assert [one["host"] for one in _problems(json.loads(console(*words, "-o", "json").out))] == [WEST]


def _problems(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document.get("problems") or document["servers"][0]["problems"]
    return found
