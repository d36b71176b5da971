"""Others are told of what the ledger was told, beside the story: never in its way, and never the reason for its failure."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from threading import Event as Signal
from typing import cast

import pytest
from bench import Bench, ListLedger, a_server

from vitrify.core.diagnostic import PreviousStillServing, UsageInvalid
from vitrify.core.event import Event, Stage
from vitrify.core.notice import EVENTS, Notice
from vitrify.lifecycle import notices
from vitrify.lifecycle.notices import Failure, Send, Telling, Ways


class Post:
    """Takes notices. Answers what it is told to, in turn, and then that all is well."""

    def __init__(self, *answers: Failure | None, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.bodies: list[dict[str, object]] = []
        self._answers, self._meanwhile = iter(answers), meanwhile

    def __call__(self, notice: Notice, body: bytes, /) -> Failure | None:
        self.bodies.append(json.loads(body))
        self._meanwhile()
        return next(self._answers, None)

    @property
    def events(self) -> list[object]:
        return [body["event"] for body in self.bodies]


class Recording(Telling):
    """With what it told of notices that failed."""

    told: list[Event]


def telling(bench: Bench, send: Send, *receivers: Notice) -> Recording:
    told: list[Event] = []
    found = Recording(bench.ledger, lambda: receivers, project=lambda: "shop", ways=Ways(send, told.append))
    found.told = told
    return found


def settled(found: Recording, *, seconds: float = 5.0) -> list[str]:
    """What could not be told."""
    found.settle(seconds=seconds)
    assert {event.stage for event in found.told} <= {Stage.FAILED}
    told = [f"{event.subject}: {event.detail}" for event in found.told]
    found.told.clear()
    return told


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "FIRST_PAUSE", 0.01)


def test_each_event_is_told_once_in_order_with_words_for_a_person(bench: Bench) -> None:
    post = Post()
    found = telling(bench, post, Notice(url="http://a"))
    found.append("plan", {"server": "web"})
    found.append("release.done", {"server": "web", "release": 2, "operation": "op"})
    found.append("switch.back", {"server": "web", "release": 3, "reason": "is ill"})

    assert settled(found) == []
    assert post.events == ["release.done", "switch.back"]
    assert [body["text"] for body in post.bodies] == [
        "shop: release 2 of web is live",
        "shop: web release 3 was switched back: is ill",
    ]
    assert post.bodies[0] == {
        "schema": "vitrify.dev/notice/v1",
        "project": "shop",
        "event": "release.done",
        "text": "shop: release 2 of web is live",
        "entry": 1,
        "at": "2026-02-02T02:40:00.000Z",
        "by": "ada@laptop",
        "server": "web",
        "body": {"server": "web", "release": 2, "operation": "op"},
    }


def test_whoever_picks_events_and_servers_hears_of_no_other(bench: Bench) -> None:
    post = Post()
    found = telling(bench, post, Notice(url="http://a", on=("release.*",), servers=("w*",)))
    for kind, server in (("release.done", "web"), ("release.failed", "db"), ("finding", "web"), ("release.failed", "web")):
        found.append(kind, {"server": server})

    assert settled(found) == []
    assert post.events == ["release.done", "release.failed"]


def test_what_may_help_is_tried_again_and_what_cannot_is_not(bench: Bench) -> None:
    post = Post(Failure("it answered 503"), Failure("it answered 503"), None, Failure("it answered 404", again=False))
    found = telling(bench, post, Notice(url="http://a/secret", retries=2, where="vitrify.yaml:5"))
    found.append("release.done", {"server": "web"})
    found.append("finding", {"server": "web"})

    assert settled(found) == ["webhook at a (vitrify.yaml:5): finding (entry 1) was not delivered: it answered 404"]
    assert post.events == ["release.done"] * 3 + ["finding"]


def test_what_fails_as_often_as_it_may_is_told(bench: Bench) -> None:
    found = telling(bench, Post(*[Failure("no answer")] * 3), Notice(command=("tell",), retries=2))
    found.append("release.done", {"server": "web"})

    assert settled(found) == ["command tell: release.done (entry 0) was not delivered: no answer"]
    assert settled(found) == []


def test_a_process_that_goes_on_for_long_tells_what_failed_with_the_next_entry(bench: Bench) -> None:
    found = telling(bench, Post(Failure("gone", again=False)), Notice(url="http://a"))
    found.append("release.done", {"server": "web"})
    until = time.monotonic() + 5
    while not found.told and time.monotonic() < until:
        found.append("finding", {"server": "web"})
        time.sleep(0.01)

    assert settled(found) == ["webhook at a: release.done (entry 0) was not delivered: gone"]


def test_nobody_waits_for_one_that_does_not_answer_and_others_are_told_meanwhile(bench: Bench) -> None:
    stalled = Signal()
    slow, fast = Notice(url="http://slow"), Notice(url="http://fast")
    post = Post()

    def send(notice: Notice, body: bytes, /) -> Failure | None:
        if notice is slow:
            stalled.wait(10)
        return post(notice, body)

    found = telling(bench, send, slow, fast)
    began = time.monotonic()
    found.append("release.done", {"server": "web"})
    assert time.monotonic() - began < 0.2, "the story goes on"

    assert settled(found, seconds=0.3) == ["webhook at slow: release.done (entry 0) was given up: it took too long"]
    assert time.monotonic() - began < 2
    assert post.events == ["release.done"]
    stalled.set()


def test_receivers_that_cannot_be_known_are_told_of_and_nothing_fails(bench: Bench) -> None:
    def unknown() -> tuple[Notice, ...]:
        raise UsageInvalid("there is no declaration")

    told: list[Event] = []
    found = Recording(bench.ledger, unknown, project=lambda: "shop", ways=Ways(Post(), told.append))
    found.told = told
    found.append("release.intended", {})
    assert settled(found) == []
    found.append("release.done", {"server": "web"})

    assert settled(found) == ["everybody: nobody was told: there is no declaration"]


def test_a_rollout_tells_its_end_whatever_becomes_of_the_notice(bench: Bench) -> None:
    post = Post(*[Failure("it answered 500")] * 9)
    real = bench.ledger
    found = telling(bench, post, Notice(url="http://a", retries=0))
    bench.ledger = cast("ListLedger", found)
    bench.apply(a_server("one"))
    bench.make_ill(a_server("two"))
    with pytest.raises(PreviousStillServing):
        bench.apply(a_server("two"))

    assert len(settled(found)) == 2
    assert post.events == ["release.done", "release.failed"]
    assert bench.slots() == (1, None)
    assert real.size == found.size


def test_every_event_has_words_of_its_own_or_plain_ones(bench: Bench) -> None:
    found = telling(bench, post := Post(), Notice(url="http://a"))
    for kind in EVENTS:
        found.append(kind, {})
    settled(found)

    assert post.events == list(EVENTS)
    assert all(str(body["text"]).startswith("shop: ") for body in post.bodies)


def test_every_kind_of_entry_can_be_asked_for_and_steps_are_told_with_the_outcome_in_order(bench: Bench) -> None:
    post, asked = Post(), list[str]()

    def receivers() -> tuple[Notice, ...]:
        asked.append("who?")
        return (Notice(url="http://a", on=("switch.*", "*.intended", "accept.*", "canary.*", "rollback.done")),)

    found = Telling(bench.ledger, receivers, project=lambda: "shop", ways=Ways(post, lambda _: None))
    for kind in ("rollback.intended", "switch.intended", "canary.5", "switch.done"):
        found.append(kind, {"server": "web"})
    assert asked == [], "a rollback is in a hurry until its requests have moved"
    for kind in ("rollback.done", "accept.intended", "accept.done"):
        found.append(kind, {"server": "web", "host": "local"})
    found.settle()

    assert asked == ["who?"]
    assert post.events == [
        "rollback.intended",
        "switch.intended",
        "canary.5",
        "switch.done",
        "rollback.done",
        "accept.intended",
        "accept.done",
    ]


def test_steps_alone_are_told_at_the_end_and_at_once_where_it_was_asked_beforehand(bench: Bench) -> None:
    post = Post()
    first = Telling(
        bench.ledger, lambda: (Notice(url="http://a", on=("audit.done",)),), project=lambda: "shop", ways=Ways(post, lambda _: None)
    )
    first.append("audit.done", {"server": "web"})
    assert post.events == []
    first.settle()
    assert post.events == ["audit.done"]

    first.prepare()
    first.append("audit.done", {"server": "web"})
    until = time.monotonic() + 30
    while len(post.events) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert post.events == ["audit.done"] * 2


def test_a_pattern_is_about_how_things_ended_unless_it_says_otherwise() -> None:
    def wanted(pattern: str, *kinds: str) -> list[str]:
        return [kind for kind in kinds if Notice(url="http://a", on=(pattern,)).wants(kind, {})]

    release = ("release.intended", "release.done", "release.failed", "release.timed")
    assert wanted("release.*", *release) == ["release.done", "release.failed"]
    assert wanted("*", *release) == ["release.done", "release.failed"]
    assert wanted("*.intended", *release) == wanted("release.intended", *release) == ["release.intended"]
    assert wanted("release.timed", *release) == ["release.timed"]
    assert wanted("exec.*", "exec.intended", "exec.done") == ["exec.intended", "exec.done"], "told unasked, too"
