"""A part of the requests goes to what is new, more with each step, as long as its answers are good ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from bench import HEALTH, ROLLOUT, Bench, a_server, at_once, do

from vitrify.core.declaration import Server
from vitrify.core.diagnostic import Denied, PreviousStillServing, UsageInvalid
from vitrify.core.strategy import Bounds, Manner, Weight
from vitrify.lifecycle.status import status
from vitrify.ports import Backends, Operation
from vitrify.testing.memory_state import MemoryStateStore

STEPS = (Weight(5, 60.0), Weight(25, 120.0))
BOUNDS = Bounds(errors=0.01, p95=0.5, requests=20, command=("/bin/check",))


def canary(greeting: str, *steps: Weight, gate: Bounds | None = None, manual: bool = False, probation: float = 0.0) -> Server:
    manner = Manner(steps=steps or STEPS, gate=gate, manual=manual)
    rollout = replace(ROLLOUT, strategy="canary", probation=probation, manner=manner)
    return a_server(greeting, replicas=2, rollout=rollout)


@pytest.fixture
def bench() -> Bench:
    found = Bench()
    found.apply(canary("one"))
    return found


def answered(bench: Bench, *, seconds: float, failed: int = 0, count: int = 40) -> Callable[[], None]:
    """The instances of release 2 answer so many requests, this fast, and so many of them badly."""

    def act() -> None:
        address = bench.address(bench.running(release=2)[0])
        for number in range(count):
            bench.router.note(address, seconds=seconds, failed=number < failed)

    return act


def test_the_share_grows_step_by_step_and_then_all_get_it(bench: Bench) -> None:
    started = bench.clock.now()
    bench.router.shares.clear()

    released = bench.apply(canary("two"))

    assert bench.router.shares == [5, 25, 0]
    assert bench.clock.now() - started >= 180
    assert (bench.serving(), bench.beside()) == (list(released.instances), ([], 0))
    assert bench.slots() == (2, 1)
    assert bench.told("canary.5", "canary.25", "switch.done") == ["switch.done", "canary.5", "canary.25", "switch.done"]


def test_the_first_release_has_nothing_to_go_beside(bench: Bench) -> None:
    assert bench.router.shares == [0]
    assert "canary.intent" not in bench.points


def test_meanwhile_status_tells_the_share(bench: Bench) -> None:
    seen = []
    bench.clock.after(100.0, lambda: seen.append(bench.beside()))

    bench.apply(canary("two"))

    assert [percent for _, percent in seen] == [25]


@pytest.mark.parametrize(
    ("seconds", "failed", "told"),
    [(0.01, 3, "3 of 40 answers are errors, more than 1%"), (0.9, 0, "95 of 100 answers came within 0.9 s only, not 0.5 s")],
)
def test_bad_or_slow_answers_take_the_canary_back_by_itself(bench: Bench, seconds: float, failed: int, told: str) -> None:
    old = bench.serving()
    bench.clock.after(30.0, answered(bench, seconds=seconds, failed=failed))

    with pytest.raises(PreviousStillServing, match="release 2 failed; release 1 still serves") as ended:
        bench.apply(canary("two", gate=BOUNDS))

    assert told in ended.value.diagnostics[0].why
    assert (bench.serving(), bench.beside(), bench.instances(release=2)) == (old, ([], 0), ())
    assert (bench.slots(), bench.states()) == ((1, None), {1: "live", 2: "aborted"})


def test_good_answers_pass(bench: Bench) -> None:
    bench.clock.after(30.0, answered(bench, seconds=0.01, failed=0))

    assert bench.apply(canary("two", gate=replace(BOUNDS, command=()))).release == 2


def test_a_few_answers_prove_nothing(bench: Bench) -> None:
    bench.clock.after(30.0, answered(bench, seconds=9.0, failed=5, count=5))

    assert bench.apply(canary("two", gate=replace(BOUNDS, command=()))).release == 2


def test_a_command_that_says_no_takes_it_back(bench: Bench) -> None:
    bench.runtime.refused["/bin/check"] = "/bin/check ended with 1: too many orders lost"

    with pytest.raises(PreviousStillServing) as ended:
        bench.apply(canary("two", gate=BOUNDS))

    assert "too many orders lost" in ended.value.diagnostics[0].why
    assert bench.slots() == (1, None)


def test_a_canary_that_falls_ill_is_taken_back_at_once(bench: Bench) -> None:
    started = bench.clock.now()
    bench.clock.after(20.0, lambda: bench.runtime.fall_ill(bench.running(release=2)[0], reason="says 500"))

    with pytest.raises(PreviousStillServing):
        bench.apply(canary("two"))

    assert bench.clock.now() - started < 25
    assert bench.beside() == ([], 0)


def test_a_step_without_an_end_waits_for_somebody_to_promote_it(bench: Bench) -> None:
    declared = canary("two", Weight(5, 60.0), Weight(25))

    waits = bench.apply(declared)

    assert "release 2 of web waits with 25% of the requests: `vitrify promote web`" in waits.waits
    assert (bench.beside()[1], bench.phase(), bench.slots()) == (25, "wait", (1, None))
    again = bench.plan(declared)
    assert (again.kind, again.empty) == ("waiting", True)
    (seen,) = do(status((declared,), bench.world))
    assert seen.rollout
    assert (seen.rollout.phase, seen.rollout.percent, seen.live) == ("waiting", 25, 1)

    assert bench.promote().release == 2
    assert (bench.slots(), bench.beside()) == ((2, 1), ([], 0))
    assert bench.plan(declared).kind == "none"


def test_a_promotion_judges_what_came_meanwhile(bench: Bench) -> None:
    bench.apply(canary("two", Weight(25), gate=BOUNDS))
    answered(bench, seconds=0.01, failed=20)()

    with pytest.raises(PreviousStillServing):
        bench.promote()

    assert (bench.slots(), bench.beside()) == ((1, None), ([], 0))


def test_each_open_step_is_promoted_on_its_own_unless_everything_is(bench: Bench) -> None:
    declared = canary("two", Weight(5), Weight(25), Weight(50), manual=True)
    bench.apply(declared)
    assert bench.beside() == ([], 0)

    shares = [(bool(bench.promote().waits), bench.beside()[1]) for _ in range(2)]
    assert shares == [(True, 5), (True, 25)]

    assert bench.promote(everything=True).waits == ""
    assert bench.slots() == (2, 1)
    assert 50 not in bench.router.shares


def test_an_abort_takes_the_canary_back(bench: Bench) -> None:
    old = bench.serving()
    bench.apply(canary("two", Weight(25)))

    bench.abort()

    assert (bench.serving(), bench.beside(), bench.instances(release=2)) == (old, ([], 0), ())
    assert bench.states() == {1: "live", 2: "aborted"}
    assert bench.bodies("release.failed")[0]["reason"] == "aborted by ada@laptop"
    with pytest.raises(UsageInvalid, match="no rollout of web is under way"):
        bench.abort()


def test_another_declaration_takes_the_place_of_one_that_waits(bench: Bench) -> None:
    bench.apply(canary("two", Weight(25)))

    planned = bench.plan(canary("three"))
    bench.apply(canary("three"), planned)

    assert "an unfinished release of release 2 is ended first" in planned.notices
    assert bench.states() == {1: "warm", 2: "aborted", 3: "live"}


def test_a_retired_server_leaves_nothing_of_a_canary(bench: Bench) -> None:
    bench.apply(canary("two", Weight(25)))

    bench.retire()

    assert (bench.instances(), bench.serving(), bench.beside()) == ((), [], ([], 0))


def test_nothing_is_promoted_where_nothing_waits(bench: Bench) -> None:
    with pytest.raises(UsageInvalid, match="no rollout of web is under way"):
        bench.promote()
    with bench.killed_at("gate.intent"):
        bench.apply(canary("two"))
    with pytest.raises(UsageInvalid, match="waits for nobody"):
        bench.promote()


def test_an_interrupted_step_goes_on_for_what_is_left_of_it(bench: Bench) -> None:
    with bench.killed_at("canary.outcome"):
        bench.apply(canary("two"))
    bench.clock.let_pass(40.0)
    started = bench.clock.now()

    bench.apply(canary("two"))

    assert 140 <= bench.clock.now() - started <= 145


def test_a_canary_that_was_left_alone_may_be_promoted(bench: Bench) -> None:
    with bench.killed_at("canary.outcome"):
        bench.apply(canary("two"))

    started = bench.clock.now()
    bench.promote()

    assert bench.slots() == (2, 1)
    assert 120 <= bench.clock.now() - started <= 125, "its own step is over, the next is not left out"


@pytest.mark.parametrize("point", ["promote.intent", "promote.act", "promote.outcome"])
@pytest.mark.parametrize("again", ["promote", "apply"])
def test_a_promotion_that_was_killed_is_gone_on_with_by_either_command(bench: Bench, point: str, again: str) -> None:
    with bench.killed_at("canary.outcome"):
        bench.apply(canary("two"))
    with bench.killed_at(point):
        bench.promote()

    released = bench.promote() if again == "promote" else bench.apply(canary("two"))

    assert (released.waits, bench.slots(), bench.beside()) == ("", (2, 1), ([], 0))
    assert bench.router.shares[-3:] == [5, 25, 0]


def test_a_share_follows_its_instances_to_other_addresses(bench: Bench) -> None:
    bench.apply(canary("two", Weight(25)))
    at_once(bench.router.switch("web", to=Backends("elsewhere", ("127.0.0.1:1",))))

    bench.apply(canary("two", Weight(25)), replace(bench.plan(canary("two", Weight(25))), kind="resume"))

    assert bench.beside() == (bench.running(release=2), 25)
    assert bench.serving() == bench.running(release=1)


def test_who_goes_back_does_not_go_by_steps(bench: Bench) -> None:
    bench.apply(canary("two"))
    bench.router.shares.clear()

    bench.rollback()

    assert bench.router.shares == [0]


def test_once_it_is_settled_there_is_no_way_back_but_a_rollback(bench: Bench) -> None:
    with bench.killed_at("drain.intent"):
        bench.apply(canary("two"))

    with pytest.raises(Denied, match="cannot be taken back any more"):
        bench.abort()

    bench.apply(canary("two"))
    assert bench.slots() == (2, 1)


def test_bounds_hold_in_the_probation_as_well(bench: Bench) -> None:
    bench.clock.after(200.0, answered(bench, seconds=0.01, failed=20))

    with pytest.raises(PreviousStillServing, match="release 1 still serves"):
        bench.apply(canary("two", gate=replace(BOUNDS, command=()), probation=60.0))

    assert bench.told("switch.back") == ["switch.back"]


def test_health_is_asked_during_a_step_as_often_as_it_must_pass(bench: Bench) -> None:
    bench.clock.after(20.0, lambda: bench.runtime.fall_ill(bench.running(release=2)[0], reason="says 500"))
    bench.clock.after(20.0 + HEALTH.interval, lambda: bench.runtime.fall_ill(bench.running(release=2)[0], reason=""))

    assert bench.apply(canary("two")).release == 2, "one bad moment is forgiven"


class Counting(MemoryStateStore):
    """Counts how often it is asked what is under way."""

    asked = 0

    def open_operation(self, server: str, host: str) -> Operation | None:
        self.asked += 1
        return super().open_operation(server, host)


def test_a_rollout_that_takes_more_steps_asks_no_more_often_what_is_written_down_of_it() -> None:
    asked = []
    for steps in ((Weight(5, 1.0),), tuple(Weight(percent, 1.0) for percent in range(5, 55, 5))):
        bench = Bench()
        bench.apply(canary("one"))
        bench.state = counting = Counting()
        bench.apply(canary("one"))
        bench.apply(canary("two", *steps))
        asked.append(counting.asked)

    assert asked[0] == asked[1]
