"""A release that waits on several hosts waits on all of them: one word lets all go on, or takes all back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from many import A, B, C, Many, on

from vitrify.core.batch import Pace, Share
from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import Denied, PreviousStillServing, TargetUnreachable, UsageInvalid
from vitrify.core.event import Stage
from vitrify.core.plan import WAITING
from vitrify.core.strategy import Manner, Weight
from vitrify.lifecycle.audit import audit
from vitrify.lifecycle.pausing import pause, resume
from vitrify.lifecycle.promoting import abortion, promotion
from vitrify.lifecycle.status import status

ALL = (A, B, C)
ONE_FIRST = Pace((Share(1), Share(100, percent=True)))
ONE_MAY_FAIL = Pace(max_fail=Share(1))


def waiting(greeting: str, *hosts: Host, steps: tuple[Weight, ...] = (), pace: Pace | None = None, manual: bool = True) -> Server:
    """A release that waits for somebody before it gets any request, or at each of these steps of a canary."""
    server = on(*(hosts or ALL), greeting=greeting, pace=pace)
    manner = Manner(steps=steps or Manner().steps, manual=manual and not steps)
    return replace(server, rollout=replace(server.rollout, probation=0.0, strategy="canary" if steps else "blue-green", manner=manner))


STEPS = (Weight(5), Weight(25))


def canary(greeting: str, *hosts: Host, pace: Pace | None = None) -> Server:
    return waiting(greeting, *hosts, steps=STEPS, pace=pace)


@pytest.fixture
def many() -> Many:
    """Release 1 on three hosts."""
    found = Many()
    found.roll(on(*ALL))
    return found


def assert_all_on(many: Many, number: int, *, before: int | None) -> None:
    assert [many.serves(one) for one in ALL] == [number] * 3
    assert [many.lives(one) for one in ALL] == [(number, before)] * 3
    assert many.state.open_operations("web") == ()


def test_every_host_comes_to_where_it_waits_and_nothing_is_judged(many: Many) -> None:
    applied = many.roll(waiting("two", pace=ONE_FIRST))

    assert [(one.host, bool(one.waits), one.previous) for one in applied.releases] == [("a", True, 1), ("b", True, 1), ("c", True, 1)]
    assert (applied.problems, applied.held, applied.stopped) == ((), (), False)
    assert [many.serves(one) for one in ALL] == [1, 1, 1]
    assert [many.runs(one) for one in ALL] == [[1, 2]] * 3
    assert many.told("waves.passed", "waves.failed") == ["waves.passed"], "of release 1"
    assert many.kinds(waiting("two")) == dict.fromkeys("abc", WAITING)
    assert promotion("web", many.world) == "release 2 of web waits on a, b, c before it gets any request"


def test_one_word_lets_all_of_them_go_on_and_then_they_are_judged_together(many: Many) -> None:
    many.roll(waiting("two", pace=ONE_FIRST))
    many.events.clear()

    applied = many.go_on()

    assert [(one.host, one.kind, one.release) for one in applied.releases] == [(host, "release", 2) for host in "abc"]
    assert_all_on(many, 2, before=1)
    assert many.told()[-1] == "release.timed"
    assert [event.detail for event in many.events if event.what == "wave" and event.stage is Stage.STARTED] == ["1 of 2: a", "2 of 2: b, c"]


def test_a_canary_waits_at_each_of_its_steps_with_the_same_share_everywhere(many: Many) -> None:
    shares = []
    many.roll(canary("two"))
    shares.append([many.share(one) for one in ALL])
    many.go_on()
    shares.append([many.share(one) for one in ALL])
    many.go_on()

    assert shares == [[(2, 5)] * 3, [(2, 25)] * 3]
    assert_all_on(many, 2, before=1)
    assert [body["stage"] for body in many.bodies("waves.promoted")] == [0, 1]


def test_who_was_declared_first_is_risked_first_after_a_promotion_as_well(many: Many) -> None:
    many.roll(waiting("two", C, A, B, pace=ONE_FIRST))

    assert [one.host for one in many.go_on().releases] == ["c", "a", "b"]


def test_without_the_steps_that_are_left(many: Many) -> None:
    many.roll(canary("two"))
    many.go_on(everything=True)

    assert_all_on(many, 2, before=1)
    assert not any(25 in many.on(name).router.shares for name in "abc")


def test_who_is_ill_after_the_promotion_takes_all_back_also_those_whose_turn_had_not_come(many: Many) -> None:
    many.roll(canary("two", pace=Pace((Share(1),))))
    many.fall_ill_on(A, 2)

    with pytest.raises(PreviousStillServing, match="every host went back; release 1 still serves"):
        many.go_on()

    assert [many.serves(one) for one in ALL] == [1, 1, 1]
    assert [many.runs(one) for one in ALL] == [[1]] * 3
    assert many.states() == {1: "live", 2: "aborted"}
    assert many.state.open_operations("web") == ()


def test_an_abort_takes_it_back_on_all_hosts(many: Many) -> None:
    many.roll(canary("two"))
    assert abortion("web", many.world) == (2, 1)

    applied = many.call_off()

    assert [(one.host, one.kind, one.release) for one in applied.releases] == [(host, "returned", 1) for host in "abc"]
    assert [(many.serves(one), many.share(one), many.runs(one)) for one in ALL] == [(1, (None, 0), [1])] * 3
    assert many.bodies("waves.failed")[0]["reason"] == "aborted by ada@laptop"
    assert many.kinds(on(*ALL)) == dict.fromkeys("abc", "none")
    many.roll(canary("two"))
    assert [many.share(one) for one in ALL] == [(3, 5)] * 3, "it may be tried again, and waits again"


def test_an_abort_is_held_up_by_nobody_who_is_away_and_the_same_command_takes_it_along_later(many: Many) -> None:
    many.roll(canary("two"))
    many.down.add("b")

    applied = many.call_off()

    assert ([one.host for one in applied.releases], [(one.host, one.unreachable) for one in applied.problems]) == (
        ["a", "c"],
        [("b", True)],
    )
    many.down.clear()
    with pytest.raises(UsageInvalid, match="waits for nobody"):
        many.go_on()
    assert [one.host for one in many.call_off().releases] == ["b"]
    assert [(many.serves(one), many.runs(one)) for one in ALL] == [(1, [1])] * 3


def test_with_a_host_that_is_away_nobody_is_promoted_unless_it_may_fail(many: Many) -> None:
    many.roll(canary("two"))
    many.down.add("b")

    held = many.go_on()
    assert ([one.host for one in held.problems], held.held) == (["b"], (("web", "a"), ("web", "c")))
    assert [many.share(one) for one in (A, C)] == [(2, 5)] * 2
    many.down.clear()
    many.go_on()
    assert [many.share(one) for one in ALL] == [(2, 25)] * 3


def test_who_may_fail_is_left_behind_and_follows_by_the_same_strategy_or_joins(many: Many) -> None:
    many.down.add("c")
    many.roll(canary("two", pace=ONE_MAY_FAIL))
    assert [many.share(one) for one in (A, B)] == [(2, 5)] * 2
    many.down.clear()

    assert many.kinds(canary("two", pace=ONE_MAY_FAIL)) == {"a": WAITING, "b": WAITING, "c": "join"}
    many.roll(canary("two", pace=ONE_MAY_FAIL))
    assert (many.share(C), many.serves(C)) == ((2, 5), 1), "a release that serves nowhere yet gets a part first here as well"
    many.down.add("a")
    applied = many.go_on()
    assert [one.host for one in applied.problems] == ["a"]
    many.go_on()
    assert [many.serves(one) for one in (B, C)] == [2, 2]
    many.down.clear()
    many.roll(canary("two", pace=ONE_MAY_FAIL))
    assert_all_on(many, 2, before=1)


def test_more_than_may_fail_before_and_after_it_waits_takes_all_back(many: Many) -> None:
    declared = canary("two", pace=ONE_MAY_FAIL)
    many.make_ill_on(C, declared)
    assert [one.host for one in many.roll(declared).problems] == ["c"]
    many.fall_ill_on(A, 2)

    with pytest.raises(PreviousStillServing):
        many.go_on()

    assert [many.serves(one) for one in ALL] == [1, 1, 1]


def test_a_host_without_any_release_does_its_part_and_waits_for_the_others() -> None:
    many = Many()
    many.roll(on(A, B))
    declared = canary("two")

    applied = many.roll(declared)

    assert [one.waits.partition(" with")[0] for one in applied.releases] == ["release 2 of web waits"] * 2 + ["waits on a, b"]
    assert many.kinds(declared) == dict.fromkeys("abc", WAITING)
    many.go_on(everything=True)
    assert [many.serves(one) for one in ALL] == [2, 2, 2]
    assert many.state.open_operations("web") == ()


def test_another_declaration_takes_what_waits_back_on_all_hosts(many: Many) -> None:
    many.roll(canary("two"))

    many.roll(on(*ALL, greeting="three"))

    assert_all_on(many, 3, before=1)
    assert many.states() == {1: "warm", 2: "aborted", 3: "live"}


def test_a_rollback_while_it_waits_goes_back_one_release_more(many: Many) -> None:
    many.roll(on(*ALL, greeting="two"))
    many.roll(canary("three"))

    many.back(to=1)

    assert_all_on(many, 1, before=2)


def test_what_passed_cannot_be_aborted_and_has_nothing_to_promote(many: Many) -> None:
    many.roll(canary("two"))
    with many.killed_at("drain.intent"):
        many.go_on(everything=True)

    with pytest.raises(Denied, match="cannot be taken back any more"):
        many.call_off()
    many.go_on()
    assert_all_on(many, 2, before=1)
    with pytest.raises(UsageInvalid, match="no rollout of web is under way"):
        many.go_on()


def test_hosts_that_were_released_one_by_one_are_promoted_together(many: Many) -> None:
    for host in (A, B):
        many.roll(replace(canary("two", host), left_out=tuple(one for one in ALL if one != host)))
    assert [many.share(one) for one in ALL] == [(2, 5), (2, 5), (None, 0)]

    many.go_on(everything=True)

    assert [many.serves(one) for one in ALL] == [2, 2, 1]


def test_hosts_on_their_way_to_different_releases_are_not_promoted_by_one_word(many: Many) -> None:
    many.roll(replace(canary("two", A), left_out=(B, C)))
    many.roll(replace(canary("three", B), left_out=(A, C)))

    with pytest.raises(UsageInvalid, match="on their way to different releases"):
        many.go_on()
    many.call_off()
    assert [(many.serves(one), many.runs(one)) for one in ALL] == [(1, [1])] * 3


def test_status_tells_of_a_waiting_release_that_lacks_an_instance_and_an_apply_starts_it(many: Many) -> None:
    many.roll(canary("two"))
    many.lose(B, 2)

    (row,) = many.tell(status([canary("two")], many.world))

    assert [(one.host, one.rollout.lacking if one.rollout else -1) for one in row.places] == [("a", 0), ("b", 1), ("c", 0)]
    (planned,) = [one for one in many.look(canary("two"))[0] if not one.empty]
    assert (planned.host, planned.kind, planned.launch) == ("b", WAITING, 1)
    many.roll(canary("two"))
    assert [(many.runs(one), many.share(one)) for one in ALL] == [([1, 2], (2, 5))] * 3
    assert promotion("web", many.world).startswith("release 2 of web waits on a, b, c with 5%")


def test_an_audit_finds_nothing_strange_about_a_release_that_waits(many: Many) -> None:
    many.roll(canary("two"))

    found = many.tell(audit([canary("two")], many.world, full=False))

    assert (found.unauthorised, [one.answer for one in found.findings]) == ((), [])


@pytest.fixture
def served(many: Many) -> Iterator[Many]:
    yield many
    assert [many.on(name).router.held("web") for name in "abc"] == [None] * 3


def test_a_pause_holds_on_all_hosts_or_on_none(served: Many) -> None:
    assert not served.tell(pause("web", served.world, at_most=12.0)).failed
    assert [served.on(name).router.held("web") for name in "abc"] == [12.0] * 3
    assert served.tell(resume("web", served.world)) == (True, served.tell(resume("web", served.world))[1])

    served.down.add("b")
    held = served.tell(pause("web", served.world, at_most=12.0))
    assert ([one.host for one in held.problems], [host for _, host in held.held]) == (["b"], ["a", "c"])


def test_a_host_that_is_lost_in_the_middle_of_a_pause_lets_the_others_through(served: Many) -> None:
    with served.down_at("pause.intent", B):
        held = served.tell(pause("web", served.world, at_most=12.0))

    assert ([one.host for one in held.problems], [host for _, host in held.held]) == (["b"], ["a", "c"])


def test_a_resume_is_held_up_by_nobody(served: Many) -> None:
    served.tell(pause("web", served.world, at_most=12.0))
    served.down.add("c")

    found, told = served.tell(resume("web", served.world))

    assert (found, [one.host for one in told.problems]) == (True, ["c"])
    served.down.clear()
    assert served.tell(resume("web", served.world))[0]


def test_the_only_host_that_is_away_is_an_error() -> None:
    many = Many()
    many.roll(on(A))
    many.roll(canary("two", A))
    many.down.add("a")

    for act in (many.go_on, many.call_off):
        with pytest.raises(TargetUnreachable):
            act()
