"""Killed behind anything that it changed, the same command again comes to the same end.

Each story is told once undisturbed, and then as often as it changes something: instances, routes, state or ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest
from bench import HEALTH, ROLLOUT, Bench, a_server

from vitrify.core.declaration import Server
from vitrify.core.diagnostic import PreviousStillServing, UsageInvalid
from vitrify.core.digest import JSON
from vitrify.core.strategy import Manner, Weight

Step = Callable[[Bench], None]

PAIR = replace(ROLLOUT, probation=1.0)


def apply(bench: Bench, greeting: str) -> None:
    with suppress(PreviousStillServing):
        bench.apply(a_server(greeting, replicas=2, rollout=PAIR))


def two_releases(bench: Bench) -> None:
    apply(bench, "one")
    apply(bench, "two")


def two_releases_long_ago(bench: Bench) -> None:
    two_releases(bench)
    bench.clock.let_pass(PAIR.keep_warm)


def one_and_an_ill_one(bench: Bench) -> None:
    apply(bench, "one")
    bench.make_ill(a_server("two", replicas=2, rollout=PAIR))


def one_and_one_that_falls_ill(bench: Bench) -> None:
    apply(bench, "one")
    bench.falls_ill_with = bench.image_of(a_server("two", replicas=2, rollout=PAIR))


def one_altered(bench: Bench) -> None:
    apply(bench, "one")
    bench.runtime.alter(bench.serving()[0], "/srv/backdoor")


def back(bench: Bench) -> None:
    bench.rollback(to=1)


def taken_away(bench: Bench) -> None:
    bench.retire()


@dataclass(frozen=True)
class By:
    """A way for requests to be moved."""

    strategy: str
    manner: Manner = field(default_factory=Manner)

    def server(self, greeting: str) -> Server:
        """A server whose requests are moved in this way."""
        rollout = replace(PAIR, strategy=self.strategy, manner=self.manner)
        return a_server(greeting, replicas=1 if self.strategy == "recreate" else 2, rollout=rollout)


BLUE_GREEN, ROLLING, RECREATE = By("blue-green"), By("rolling"), By("recreate")
SHOWN = By("blue-green", Manner(manual=True, preview="next.test"))
CANARY = By("canary", Manner(steps=(Weight(5, 2.0), Weight(25, 2.0))))
WAITS = By("canary", Manner(steps=(Weight(25),)))


def goes(greeting: str, by: By) -> Step:
    """Apply such a server."""

    def act(bench: Bench) -> None:
        with suppress(PreviousStillServing):
            bench.apply(by.server(greeting))

    return act


def one_and_ill(by: By) -> Step:
    """A release of before, and a next one that is never healthy."""

    def act(bench: Bench) -> None:
        goes("one", by)(bench)
        bench.make_ill(by.server("two"))

    return act


def one_and_falling_ill(by: By) -> Step:
    """A release of before, and a next one that is ill once it has all requests."""

    def act(bench: Bench) -> None:
        goes("one", by)(bench)
        bench.falls_ill_with = bench.image_of(by.server("two"))

    return act


def then(*steps: Step) -> Step:
    """One after the other."""

    def act(bench: Bench) -> None:
        for step in steps:
            step(bench)

    return act


def promoted(bench: Bench) -> None:
    bench.promote()


def aborted(bench: Bench) -> None:
    bench.abort()


@dataclass(frozen=True)
class Story:
    """What is there before, the command, and its end: the live release, or None where nothing is left."""

    before: Callable[[Bench], None]
    command: Callable[[Bench], None]
    live: int | None
    ended: str
    replicas: int = 2


STORIES = {
    "the first release": Story(lambda _: None, lambda bench: apply(bench, "one"), 1, "release.done"),
    "the next release": Story(lambda bench: apply(bench, "one"), lambda bench: apply(bench, "two"), 2, "release.done"),
    "an ill release": Story(one_and_an_ill_one, lambda bench: apply(bench, "two"), 1, "release.failed"),
    "a release that falls ill": Story(one_and_one_that_falls_ill, lambda bench: apply(bench, "two"), 1, "release.failed"),
    "a replacement": Story(one_altered, lambda bench: apply(bench, "one"), 1, "replace.done"),
    "a warm rollback": Story(two_releases, back, 1, "rollback.done"),
    "a cold rollback": Story(two_releases_long_ago, back, 1, "rollback.done"),
    "a canary": Story(goes("one", CANARY), goes("two", CANARY), 2, "release.done"),
    "a canary that is ill": Story(one_and_ill(CANARY), goes("two", CANARY), 1, "release.failed"),
    "a canary that falls ill": Story(one_and_falling_ill(CANARY), goes("two", CANARY), 1, "release.failed"),
    "a canary that is aborted": Story(then(goes("one", CANARY), goes("two", WAITS)), aborted, 1, "release.failed"),
    "a promotion": Story(then(goes("one", BLUE_GREEN), goes("two", SHOWN)), promoted, 2, "release.done"),
    "an abort": Story(then(goes("one", BLUE_GREEN), goes("two", SHOWN)), aborted, 1, "release.failed"),
    "rolling": Story(goes("one", ROLLING), goes("two", ROLLING), 2, "release.done"),
    "rolling that is ill": Story(one_and_ill(ROLLING), goes("two", ROLLING), 1, "release.failed"),
    "rolling that falls ill": Story(one_and_falling_ill(ROLLING), goes("two", ROLLING), 1, "release.failed"),
    "recreate": Story(goes("one", RECREATE), goes("two", RECREATE), 2, "release.done", replicas=1),
    "recreate that is ill": Story(one_and_ill(RECREATE), goes("two", RECREATE), 1, "release.failed", replicas=1),
    "recreate that falls ill": Story(one_and_falling_ill(RECREATE), goes("two", RECREATE), 1, "release.failed", replicas=1),
    "a retirement": Story(two_releases, taken_away, None, "retire.done"),
}


def told_once(bench: Bench) -> Iterator[tuple[str, JSON]]:
    """What an operation may say only once."""
    for entry in bench.ledger.entries():
        if entry.kind.rpartition(".")[2] in ("intended", "done", "failed") and "operation" in entry.body:
            yield entry.kind, entry.body["operation"]


def assert_whole(bench: Bench, story: Story, told: str = "") -> None:
    """What serves is what was asked for, in the declared number; nothing is lost, doubled, orphaned or told twice."""
    kept = {str(number) for number in bench.slots() if number}
    assert bench.slots()[0] == story.live, told
    assert bench.serving() == (bench.running(release=story.live) if story.live else []), told
    assert len(bench.serving()) == (story.replicas if story.live else 0), told
    assert bench.beside() == ([], 0), told
    assert bench.router.held("web") is None, told
    assert all(bench.runtime_is_sound(instance) for instance in bench.serving()), told
    assert {instance.labels["release"] for instance in bench.instances()} <= kept, told
    assert bench.state.open_operation("web", "local") is None, told
    once = [f"{kind} {operation}" for kind, operation in told_once(bench)]
    assert len(set(once)) == len(once), told
    assert bench.told()[-1] in (story.ended, "release.timed"), told


def changes(story: Story) -> list[str]:
    """What the story changes when nothing disturbs it."""
    bench = Bench()
    story.before(bench)
    bench.changes.clear()
    story.command(bench)
    assert_whole(bench, story)
    return bench.changes


@pytest.mark.parametrize("name", STORIES)
def test_killed_behind_any_change_the_same_command_again_comes_to_the_same_end(name: str) -> None:
    story = STORIES[name]

    for number, change in enumerate(changes(story), start=1):
        bench = Bench()
        story.before(bench)
        with bench.killed_behind(number):
            story.command(bench)
        with suppress(UsageInvalid):  # it had only its end left to say: nothing is open, and the release is live
            story.command(bench)
        assert_whole(bench, story, f"killed behind change {number}, {change}")


@pytest.mark.parametrize("point", ["launch.act", "switch.act", "probation.intent", "retire.act"])
def test_killed_twice_at_the_same_point_it_is_adopted_again(point: str) -> None:
    bench = Bench()
    for _ in range(2):
        with bench.killed_at(point):
            apply(bench, "one")
    launched = bench.running()

    apply(bench, "one")

    assert bench.running() == launched
    assert_whole(bench, STORIES["the first release"])


def test_once_the_old_ones_began_to_leave_an_ill_new_one_does_not_bring_them_back() -> None:
    bench = Bench()
    cold = replace(ROLLOUT, keep_warm=0.0)
    bench.apply(a_server("one", rollout=cold))
    planned = bench.plan(a_server("two", rollout=cold))
    with bench.killed_at("retire.act"):
        bench.apply(a_server("two", rollout=cold), planned)
    bench.runtime.fall_ill(bench.running(release=2)[0], reason="says 500")

    released = bench.apply(a_server("two", rollout=cold))

    assert released.release == 2
    assert bench.serving() == bench.running(release=2), "traffic never went to instances that are gone"


def test_a_release_without_a_route_is_found_again_by_its_step() -> None:
    bench = Bench()
    plain = a_server("one", route=None, health=replace(HEALTH, http="/"))
    planned = bench.plan(plain)
    with bench.killed_at("switch.outcome"):
        bench.apply(plain, planned)

    assert bench.apply(plain).release == 1
    assert len(bench.instances()) == 1


def test_a_killed_process_has_its_lease_no_more() -> None:
    bench = Bench()
    with bench.killed_at("gate.intent"):
        apply(bench, "one")

    assert bench.lease().standing() is None
