"""How an immutable server on several hosts is shown: which release is where, and what is out of line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from many import A, B, C, Many, on

from vitrify.core.batch import Pace, Share
from vitrify.core.declaration import Lifecycle
from vitrify.core.diagnostic import TargetUnreachable, UsageInvalid
from vitrify.lifecycle import holders, left_over
from vitrify.lifecycle.audit import audit
from vitrify.lifecycle.entering import Wish, into_instance
from vitrify.lifecycle.listing import logs, releases
from vitrify.lifecycle.status import status

ALL = (A, B, C)


@pytest.fixture
def many() -> Many:
    """Release 2 on a and b, release 1 on c, which was away."""
    many = Many()
    many.roll(on(*ALL))
    many.down.add("c")
    many.roll(on(*ALL, greeting="two", pace=Pace(max_fail=Share(1))))
    many.down.clear()
    return many


def test_status_tells_each_host_for_itself_and_the_newest_release_of_all(many: Many) -> None:
    (row,) = many.tell(status([on(*ALL)], many.world))

    assert [(one.host, one.live, one.previous) for one in row.places] == [("a", 2, 1), ("b", 2, 1), ("c", 1, None)]
    assert [[seen.slot for seen in one.instances] for one in row.places] == [["previous", "live"], ["previous", "live"], ["live"]]
    assert (row.live, row.previous, len(row.instances)) == (2, 1, 5)


def test_a_host_that_does_not_answer_is_told_with_what_is_remembered_of_it(many: Many) -> None:
    many.down.add("b")

    (row,) = many.tell(status([on(*ALL)], many.world))

    assert [(one.host, one.live, one.problem) for one in row.places] == [("a", 2, ""), ("b", 2, "b does not answer"), ("c", 1, "")]


def test_of_a_host_that_does_not_answer_the_server_says_so_too_and_that_it_is_away(many: Many) -> None:
    many.down.add("b")

    (row,) = many.tell(status([on(*ALL)], many.world))

    assert [(one.host, one.why, one.unreachable) for one in row.problems] == [("b", "b does not answer", True)]
    assert [one.unreachable for one in row.places] == [False, True, False]


def test_releases_are_told_without_a_host_that_is_away_and_that_it_is(many: Many) -> None:
    many.down.add("b")

    found = many.tell(releases(["web"], many.world))

    assert [(one.number, one.running, one.live_on) for one in found.rows] == [(2, 1, ("a", "b")), (1, 2, ("c",))]
    assert [(one.server, one.host, one.unreachable) for one in found.problems] == [("web", "b", True)]


def test_logs_are_told_without_a_host_that_is_away_and_that_it_is(many: Many) -> None:
    many.down.add("b")

    found = many.tell(logs("web", many.world, lines=5))

    assert found.text.count("==>") == 3
    assert [(one.host, one.unreachable) for one in found.problems] == [("b", True)]
    assert many.tell(logs(many.live_on(C), many.world, lines=5)).problems == (), "it was found: nobody else has it"


def test_the_logs_of_what_no_host_knows_may_be_on_the_one_that_is_away(many: Many) -> None:
    many.down.add("b")

    with pytest.raises(TargetUnreachable):
        many.tell(logs("web-r9-0", many.world, lines=5))


def test_a_server_on_one_host_is_shown_as_it_always_was() -> None:
    many = Many()
    many.roll(on(A))

    (row,) = many.tell(status([on(A)], many.world))

    assert (row.places, row.live, len(row.instances)) == ((), 1, 1)


def test_a_host_that_is_declared_no_more_is_shown_as_abandoned(many: Many) -> None:
    (row,) = many.tell(status([on(A, C)], many.world))

    assert [(one.host, one.declared) for one in row.places] == [("a", True), ("c", True), ("b", False)]


def test_releases_say_on_which_hosts_they_are_live(many: Many) -> None:
    found = many.tell(releases(["web"], many.world)).rows

    assert [(one.number, one.state, one.slot, one.running, one.live_on) for one in found] == [
        (2, "live", "live", 2, ("a", "b")),
        (1, "live", "live", 3, ("c",)),
    ]


def test_an_audit_tells_which_hosts_are_out_of_line_and_of_nothing_else(many: Many) -> None:
    found = many.tell(audit([on(A, C)], many.world, full=False))

    assert [(one.where, one.details, one.answer) for one in found.findings] == [
        ("c", ("release 1 is live here, release 2 on other hosts",), "join"),
        ("b", ("release 2 is live here, and the host is declared no more",), "retire"),
    ]
    assert (found.unauthorised, found.problems) == ((), ())


def test_an_audit_goes_on_without_a_host_that_is_away_and_says_so(many: Many) -> None:
    many.on("a").runtime.alter(many.live_on(A), "/srv/backdoor")
    many.down.add("b")

    found = many.tell(audit([on(*ALL)], many.world, full=False))

    assert [one.path for one in found.unauthorised] == ["/srv/backdoor"]
    assert [(one.host, one.unreachable) for one in found.problems] == [("b", True)]
    many.down.update("ac")
    with pytest.raises(TargetUnreachable):
        many.tell(audit([on(*ALL)], many.world, full=False))


def test_logs_are_those_of_every_host(many: Many) -> None:
    assert many.tell(logs("web", many.world, lines=5)).text.count("==>") == 5


def test_a_command_is_run_in_the_named_instance_on_whichever_host_that_is(many: Many) -> None:
    wish = Wish(("/bin/true",), reason="it burns", instance=many.live_on(C))

    visit = many.tell(into_instance(on(*ALL), wish, many.world))

    assert (visit.host, visit.instance) == (C, wish.instance)
    with pytest.raises(UsageInvalid, match="no running instance 'web-r9'"):
        many.tell(into_instance(on(*ALL), Wish(("/bin/true",), reason="it burns", instance="web-r9"), many.world))


def test_a_server_that_was_flipped_tells_of_the_instances_of_all_its_hosts(many: Many) -> None:
    flipped = replace(on(*ALL), lifecycle=Lifecycle.MUTABLE)

    told = many.tell(left_over.notices(flipped, A, many.world))

    assert told[0].startswith("flipped from immutable to mutable: instances of releases 1, 2 go on serving until")
    assert many.tell(left_over.notices(flipped, B, many.world)) == ()


def test_leases_are_kept_by_every_host() -> None:
    assert holders.hosts_of(on(*ALL)) == ALL
