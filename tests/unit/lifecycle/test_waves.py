"""A release goes to all hosts of a server or to none: in waves, with the traffic of each host where it belongs at every end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from many import A, B, C, Many, on

from vitrify.core.batch import Pace, Share
from vitrify.core.diagnostic import PreviousStillServing, TargetUnreachable, UsageInvalid
from vitrify.core.event import Stage
from vitrify.onhost.lease import Wish

ALL = (A, B, C)
ONE_FIRST = Pace((Share(1), Share(100, percent=True)))
ONE_MAY_FAIL = Pace(max_fail=Share(1))


@pytest.fixture
def many() -> Many:
    return Many()


def test_a_release_is_one_number_and_one_image_on_every_host_each_with_its_own_router(many: Many) -> None:
    applied = many.roll(on(*ALL))

    assert [(one.host, one.kind, one.release) for one in applied.releases] == [
        ("a", "release", 1),
        ("b", "release", 1),
        ("c", "release", 1),
    ]
    assert [many.serves(one) for one in ALL] == [1, 1, 1]
    assert [many.lives(one) for one in ALL] == [(1, None)] * 3
    assert many.states() == {1: "live"}
    assert many.told("bake.done", "waves.intended", "waves.passed", "waves.ended") == [
        "bake.done",
        "waves.intended",
        "waves.passed",
        "waves.ended",
    ]
    assert many.kinds(on(*ALL)) == {"a": "none", "b": "none", "c": "none"}


def test_hosts_go_in_waves_as_the_batch_says(many: Many) -> None:
    many.roll(on(*ALL, pace=ONE_FIRST))

    assert [event.detail for event in many.events if event.what == "wave" and event.stage is Stage.STARTED] == ["1 of 2: a", "2 of 2: b, c"]


def test_what_fails_in_the_first_wave_never_comes_to_the_others(many: Many) -> None:
    many.roll(on(*ALL))
    many.make_ill_on(A, on(*ALL, greeting="two"))

    with pytest.raises(PreviousStillServing, match="every host went back; release 1 still serves") as failed:
        many.roll(on(*ALL, greeting="two", pace=ONE_FIRST))

    assert "a: instance web-r2-" in failed.value.diagnostics[0].why
    assert [many.runs(one) for one in ALL] == [[1], [1], [1]]
    assert [many.on(name).router.switches[1:] for name in "abc"] == [[], [], []]


def test_a_later_host_that_fails_brings_those_back_that_had_switched(many: Many) -> None:
    many.roll(on(*ALL))
    many.make_ill_on(C, on(*ALL, greeting="two"))

    with pytest.raises(PreviousStillServing, match="release 1 still serves"):
        many.roll(on(*ALL, greeting="two"))

    assert [len(many.on(name).router.switches) for name in "abc"] == [3, 3, 1], "there and back, where it was healthy"
    assert [many.serves(one) for one in ALL] == [1, 1, 1]
    assert [many.runs(one) for one in ALL] == [[1], [1], [1]]
    assert [many.lives(one) for one in ALL] == [(1, None)] * 3
    assert (many.states(), many.state.open_operations("web")) == ({1: "live", 2: "aborted"}, ())
    assert "waves.failed" in many.told()


def test_nothing_is_let_go_of_before_the_last_host_passed(many: Many) -> None:
    many.roll(on(*ALL))
    seen = []
    many.happens_at["retire.intent"] = lambda: seen.extend([many.serves(one) for one in ALL])

    many.roll(on(*ALL, greeting="two", pace=ONE_FIRST))

    assert seen == [2, 2, 2]
    told = many.told("waves.passed", "release.done")
    assert told == ["waves.passed", *["release.done"] * 3] * 2


def test_so_many_may_fail_as_was_said_and_the_next_apply_brings_them_to_what_the_others_have(many: Many) -> None:
    many.roll(on(*ALL))
    two = on(*ALL, greeting="two", pace=ONE_MAY_FAIL)
    many.make_ill_on(B, two)

    applied = many.roll(two)

    assert [many.serves(one) for one in ALL] == [2, 1, 2]
    assert [(one.host, one.unreachable) for one in applied.problems] == [("b", False)]
    assert not applied.stopped, "what comes after in the declaration goes on"
    many.on("b").runtime.ill.clear()
    (planned,) = [one for one in many.look(two)[0] if not one.empty]
    assert (planned.host, planned.kind, planned.release, planned.live) == ("b", "join", 2, 1)
    assert planned.because == ("release 2 is what a has",)
    many.roll(two)
    assert [many.serves(one) for one in ALL] == [2, 2, 2]
    assert many.lives(B) == (2, 1)


def test_with_a_host_that_cannot_be_looked_at_nothing_is_begun_unless_it_may_fail(many: Many) -> None:
    many.roll(on(*ALL))
    many.down.add("c")

    held = many.roll(on(*ALL, greeting="two"))
    assert ([many.runs(one) for one in ALL], held.held) == ([[1], [1], [1]], (("web", "a"), ("web", "b")))

    many.roll(on(*ALL, greeting="two", pace=ONE_MAY_FAIL))
    assert [many.serves(one) for one in ALL] == [2, 2, 1]
    many.down.clear()
    assert many.kinds(on(*ALL, greeting="two")) == {"a": "none", "b": "none", "c": "join"}


@pytest.mark.parametrize("point", ["launch.intent", "gate.act", "switch.intent", "switch.act"])
def test_a_host_that_goes_down_in_the_middle_takes_the_others_back_and_is_brought_in_line_when_it_is_there_again(
    many: Many, point: str
) -> None:
    two = on(*ALL, greeting="two", pace=Pace((Share(1),)))
    many.roll(on(*ALL))
    served = many.on("c").router

    def when_c_is_at_work() -> None:
        """The point is passed by each host, one after the other: it is the third time that counts."""
        turns.append(point)
        if len(turns) < 3:
            many.happens_at[point] = when_c_is_at_work
        else:
            many.down.add("c")

    turns: list[str] = []
    many.happens_at[point] = when_c_is_at_work

    applied = many.roll(two)

    assert [(one.host, one.unreachable) for one in applied.problems] == [("c", True)]
    assert [(one.host, one.kind, one.release) for one in applied.releases] == [("a", "returned", 1), ("b", "returned", 1)]
    assert [many.serves(one) for one in (A, B)] == [1, 1]
    many.down.clear()
    assert many.on("c").router is served
    planned, _ = many.look(two)
    assert {one.kind for one in planned} == {"release"}
    assert any("an unfinished release of release 2 is ended first" in one.notices for one in planned if one.host == "c")
    many.roll(two)
    assert [many.serves(one) for one in ALL] == [3, 3, 3]
    assert [many.lives(one) for one in ALL] == [(3, 1)] * 3
    assert many.state.open_operations("web") == ()


def test_a_host_that_goes_down_when_all_have_passed_is_finished_when_it_is_there_again(many: Many) -> None:
    many.roll(on(*ALL))
    two = on(*ALL, greeting="two")
    many.happens_at["retire.intent"] = lambda: many.down.add("b")

    applied = many.roll(two)

    assert [one.host for one in applied.releases] == ["a", "c"]
    assert [(one.host, one.unreachable) for one in applied.problems] == [("b", True)]
    many.down.clear()
    assert many.kinds(two) == {"a": "none", "b": "resume", "c": "none"}
    many.roll(two)
    assert [many.serves(one) for one in ALL] == [2, 2, 2]
    assert [many.lives(one) for one in ALL] == [(2, 1)] * 3


def test_a_host_that_was_put_up_anew_gets_its_release_again(many: Many) -> None:
    many.roll(on(*ALL))
    many.put_up_anew(B)

    assert many.kinds(on(*ALL)) == {"a": "none", "b": "replace", "c": "none"}
    many.roll(on(*ALL))
    assert [many.serves(one) for one in ALL] == [1, 1, 1]


def test_a_host_that_was_away_for_several_releases_gets_the_newest(many: Many) -> None:
    pace = Pace(max_fail=Share(1))
    many.roll(on(*ALL))
    many.down.add("c")
    for greeting in ("two", "three", "four"):
        many.roll(on(*ALL, greeting=greeting, pace=pace))
    many.down.clear()
    many.put_up_anew(C)

    many.roll(on(*ALL, greeting="four", pace=pace))

    assert [many.serves(one) for one in ALL] == [4, 4, 4]
    assert many.lives(C) == (4, 1)


def test_a_host_that_is_added_gets_the_live_release_and_no_other_is_touched(many: Many) -> None:
    many.roll(on(A, B))

    assert many.kinds(on(A, B, C)) == {"a": "none", "b": "none", "c": "join"}
    applied = many.roll(on(A, B, C))

    assert [(one.host, one.kind, one.release) for one in applied.releases] == [("c", "join", 1)]
    assert [many.serves(one) for one in ALL] == [1, 1, 1]
    assert many.told("bake.done") == ["bake.done"]
    assert many.told()[-1] == "join.done"


def test_a_host_that_cannot_take_the_live_release_keeps_the_others_as_they_are(many: Many) -> None:
    many.roll(on(A, B))
    many.make_ill_on(C, on(A, B, C))

    with pytest.raises(PreviousStillServing):
        many.roll(on(A, B, C))

    assert [many.serves(one) for one in ALL] == [1, 1, None]
    assert many.states() == {1: "live"}
    assert many.state.releases("web", host="c")[0].state == "aborted"


def test_a_host_that_is_taken_out_is_told_of_and_retired_by_name(many: Many) -> None:
    many.roll(on(*ALL))

    (planned, _), _ = many.look(on(A, B))
    assert planned.notices[0] == "c is declared no more, and release 1 goes on there until `vitrify retire web --host c`"
    with pytest.raises(UsageInvalid, match="no instance of web is on d"):
        many.take_away("d")
    assert many.take_away("c").instances == 1

    assert [many.serves(one) for one in ALL] == [1, 1, None]
    assert many.look(on(A, B))[0][0].notices == ()
    assert many.states() == {1: "live"}


def test_hosts_that_are_left_out_are_told_of_and_follow_later(many: Many) -> None:
    many.roll(on(*ALL))
    limited = replace(on(A, greeting="two"), left_out=(B, C))

    (planned,), _ = many.look(limited)
    assert planned.notices == ("b is left out of this, and stays on release 1", "c is left out of this, and stays on release 1")
    many.roll(limited)
    assert [many.serves(one) for one in ALL] == [2, 1, 1]

    many.roll(on(*ALL, greeting="two"))
    assert [many.serves(one) for one in ALL] == [2, 2, 2]
    assert many.states() == {1: "warm", 2: "live"}


def test_a_rollback_goes_over_all_hosts_and_forward_again(many: Many) -> None:
    many.roll(on(*ALL))
    many.roll(on(*ALL, greeting="two"))

    applied = many.back(to=1)

    assert [(one.host, one.release, one.warm) for one in applied.releases] == [("a", 1, True), ("b", 1, True), ("c", 1, True)]
    assert [many.serves(one) for one in ALL] == [1, 1, 1]
    assert [many.lives(one) for one in ALL] == [(1, 2)] * 3


def test_a_rollback_that_fails_on_one_host_leaves_all_of_them_on_what_they_had(many: Many) -> None:
    many.roll(on(*ALL))
    many.roll(on(*ALL, greeting="two"))
    many.clock.let_pass(600)
    many.make_ill_on(B, on(*ALL))

    with pytest.raises(PreviousStillServing, match="release 2 still serves"):
        many.back(to=1)

    assert [many.serves(one) for one in ALL] == [2, 2, 2]
    assert many.states() == {1: "warm", 2: "live"}


def test_a_rollback_waits_for_nobody_who_is_away(many: Many) -> None:
    many.roll(on(*ALL))
    many.roll(on(*ALL, greeting="two"))
    many.down.add("c")

    applied = many.back(to=1)

    assert ([many.serves(one) for one in (A, B)], [one.host for one in applied.problems]) == ([1, 1], ["c"])
    many.down.clear()
    assert [one.host for one in many.back(to=1).releases] == ["c"]
    assert many.serves(C) == 1


def test_a_rollback_brings_a_release_to_a_host_that_never_had_it(many: Many) -> None:
    many.roll(on(A, B))
    many.roll(on(A, B, greeting="two"))
    many.roll(on(*ALL, greeting="two"))

    many.back(to=1)

    assert [many.serves(one) for one in ALL] == [1, 1, 1]


def test_retired_it_is_gone_from_every_host_that_can_be_reached_and_from_the_others_later(many: Many) -> None:
    many.roll(on(*ALL))
    many.down.add("b")

    retired = many.take_away()
    assert (retired.instances, [one.host for one in retired.problems]) == (2, ["b"])
    many.down.clear()
    assert many.take_away().instances == 1
    assert many.states() == {1: "discarded"}


def test_whoever_else_is_at_one_host_keeps_the_release_from_all(many: Many) -> None:
    many.roll(on(*ALL))
    many.on("b").leases.acquire(Wish("eve@desk", "apply"))

    applied = many.roll(on(*ALL, greeting="two"))

    assert [(one.host, one.busy) for one in applied.problems] == [("b", True)]
    assert [many.runs(one) for one in ALL] == [[1], [1], [1]]


def test_a_single_host_has_no_waves(many: Many) -> None:
    many.roll(on(A))
    assert "waves.intended" not in many.told()
    assert many.serves(A) == 1


def test_a_host_that_is_the_only_one_and_away_is_an_error(many: Many) -> None:
    many.down.add("a")
    with pytest.raises(TargetUnreachable):
        many.roll(on(A))
