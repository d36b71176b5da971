"""Killed behind anything that it changed on any of its hosts, the same command again finishes on all of them, or returns all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
from many import A, B, C, Many, on

from vitrify.core.batch import Pace, Share
from vitrify.core.declaration import Server
from vitrify.core.diagnostic import PreviousStillServing, UsageInvalid
from vitrify.core.strategy import Manner, Weight

ALL, PAIR = (A, B, C), (A, C)
PACE = Pace((Share(1), Share(100, percent=True)))
ENDS = (".intended", ".done", ".failed", ".passed", ".ended")


def roll(many: Many, greeting: str) -> None:
    with suppress(PreviousStillServing):
        many.roll(on(*PAIR, greeting=greeting, pace=PACE))


def one(many: Many) -> None:
    roll(many, "one")


def one_and_an_ill_one(many: Many) -> None:
    one(many)
    many.make_ill_on(C, on(*PAIR, greeting="two"))


def one_on_one_host(many: Many) -> None:
    many.roll(on(A, pace=PACE))


def two(many: Many) -> None:
    one(many)
    roll(many, "two")


def back(many: Many) -> None:
    many.back(to=1)


def taken_away(many: Many) -> None:
    many.take_away()


def canary(greeting: str, *steps: int) -> Server:
    """It waits at each of these shares."""
    server = on(*PAIR, greeting=greeting, pace=PACE)
    manner = Manner(steps=tuple(map(Weight, steps)))
    return replace(server, rollout=replace(server.rollout, probation=0.0, strategy="canary", manner=manner))


def waits(many: Many) -> None:
    one(many)
    many.roll(canary("two", 5))


def waits_and_is_ill(many: Many) -> None:
    waits(many)
    many.fall_ill_on(C, 2)


def promoted(many: Many) -> None:
    """To its end, by the same word; where it was judged, it is either there or back."""
    with suppress(PreviousStillServing):
        many.go_on()


def promoted_to_the_end(many: Many) -> None:
    with suppress(PreviousStillServing):
        many.go_on(everything=True)


def waits_at_two(many: Many) -> None:
    one(many)
    many.roll(canary("two", 5, 25))


def aborted(many: Many) -> None:
    many.call_off()


@dataclass(frozen=True)
class Story:
    """What is there before, the command, and the release that is live on every host at its end."""

    before: Callable[[Many], None]
    command: Callable[[Many], None]
    live: int | None


STORIES = {
    "the first release": Story(lambda _: None, one, 1),
    "the next release": Story(one, lambda many: roll(many, "two"), 2),
    "a release that is ill on the last host": Story(one_and_an_ill_one, lambda many: roll(many, "two"), 1),
    "a host that joins": Story(one_on_one_host, one, 1),
    "a rollback": Story(two, back, 1),
    "a retirement": Story(two, taken_away, None),
    "a promotion": Story(waits, promoted, 2),
    "a promotion to the end": Story(waits_at_two, promoted_to_the_end, 2),
    "a promotion of what is ill on the last host": Story(waits_and_is_ill, promoted, 1),
    "an abort": Story(waits_at_two, aborted, 1),
}


def assert_whole(many: Many, story: Story, told: str = "") -> None:
    """Every host serves what it should; nothing is open, doubled, orphaned or told twice."""
    assert [many.serves(host) for host in PAIR] == [story.live] * 2, told
    assert [many.lives(host)[0] for host in PAIR] == [story.live] * 2, told
    for host in PAIR:
        kept = {number for number in many.lives(host) if number}
        counted = Counter(many.runs(host))
        assert set(counted) <= kept, told
        assert set(counted.values()) <= {1}, told
    assert many.state.open_operations("web") == (), told
    said = [
        (entry.kind, entry.body["operation"]) for entry in many.ledger.entries() if "operation" in entry.body and entry.kind.endswith(ENDS)
    ]
    assert len(set(said)) == len(said), told


def changes(story: Story) -> list[str]:
    """What the story changes when nothing disturbs it."""
    many = Many()
    story.before(many)
    many.changes.clear()
    story.command(many)
    assert_whole(many, story)
    return many.changes


@pytest.mark.parametrize("name", STORIES)
def test_killed_behind_any_change_on_any_host_the_same_command_again_comes_to_the_same_end_on_all(name: str) -> None:
    story = STORIES[name]

    for number, change in enumerate(changes(story), start=1):
        many = Many()
        story.before(many)
        with many.killed_behind(number):
            story.command(many)
        with suppress(UsageInvalid):  # a rollback or a retirement that had only its end left to say
            story.command(many)
        assert_whole(many, story, f"killed behind change {number}, {change}")


def test_killed_behind_any_change_an_apply_ends_what_somebody_promoted() -> None:
    story = STORIES["a promotion"]

    for number, change in enumerate(changes(story), start=1):
        many = Many()
        story.before(many)
        with many.killed_behind(number):
            story.command(many)
        many.roll(canary("two", 5))
        with suppress(UsageInvalid):  # it was promoted, and is live
            many.go_on()
        assert_whole(many, story, f"killed behind change {number}, {change}")


def test_killed_behind_any_change_of_a_release_that_waits_it_waits_on_all_hosts_alike() -> None:
    undisturbed = Many()
    one(undisturbed)
    undisturbed.changes.clear()
    undisturbed.roll(canary("two", 5))

    for number, change in enumerate(undisturbed.changes, start=1):
        many = Many()
        one(many)
        with many.killed_behind(number):
            many.roll(canary("two", 5))
        many.roll(canary("two", 5))
        assert [(many.share(host), many.serves(host), many.runs(host)) for host in PAIR] == [((2, 5), 1, [1, 2])] * 2, change


@pytest.mark.parametrize("name", ["the next release", "a release that is ill on the last host"])
def test_killed_behind_any_change_another_declaration_leaves_nothing_of_the_first(name: str) -> None:
    story = STORIES[name]

    for number, change in enumerate(changes(story), start=1):
        many = Many()
        story.before(many)
        with many.killed_behind(number):
            story.command(many)
        many.roll(on(*PAIR, greeting="three", pace=PACE))
        newest = max(many.states())
        assert many.states()[newest] == "live", f"killed behind change {number}, {change}"
        assert_whole(many, Story(story.before, story.command, newest), f"killed behind change {number}, {change}")


def test_killed_behind_any_change_and_one_host_away_the_others_are_of_one_mind_and_it_follows() -> None:
    lenient = Pace((Share(1), Share(100, percent=True)), max_fail=Share(1))
    begun, next_one = on(*ALL, pace=lenient), on(*ALL, greeting="two", pace=lenient)
    undisturbed = Many()
    undisturbed.roll(begun)
    undisturbed.changes.clear()
    undisturbed.roll(next_one)

    for number in range(1, len(undisturbed.changes) + 1, 3):
        many = Many()
        many.roll(begun)
        with many.killed_behind(number):
            many.roll(next_one)
        many.down.add("b")
        with suppress(PreviousStillServing):
            many.roll(next_one)
        assert len({many.serves(host) for host in (A, C)}) == 1, f"killed behind change {number}"
        many.down.clear()
        for _ in range(2):
            with suppress(PreviousStillServing):
                many.roll(next_one)
        newest = max(many.states())
        assert [many.serves(host) for host in ALL] == [newest] * 3, f"killed behind change {number}"
        assert many.state.open_operations("web") == ()
