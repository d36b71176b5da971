"""After a rollout, what no release needs goes; pins keep it; and a rollback to what is gone says what is left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import pytest
from bench import ROLLOUT, Bench, a_server, do

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import Busy, Denied, UsageInvalid
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.retention import Collected, Needs, Pin, Use
from vitrify.lifecycle import collection
from vitrify.lifecycle.storage import NoStorage
from vitrify.lifecycle.world import Site, World
from vitrify.onhost.context import Context
from vitrify.resources.registry import all_kinds
from vitrify.testing.direct_session import DirectSession

NARROW = replace(ROLLOUT, retain=1)


class Kept(NoStorage):
    """A store in memory over the releases of a bench."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.here = set[str]()
        self.pinned: dict[str, Pin] = {}
        self.busy = self.freezes = False
        self.users = 0

    @contextmanager
    def using(self) -> Iterator[None]:
        self.users += 1
        yield
        self.users -= 1

    def has(self, image: str) -> bool:
        return image in self.here

    def needs(self) -> Needs:
        releases = self._bench.state.releases("web")
        self.here |= {one.image for one in releases if one.state == "prepared"}
        return Needs(tuple(Use(one.image, "web", one.number, one.state) for one in releases), tuple(self.pinned.values()))

    def collect(self, *, dry_run: bool, unreleased: bool = False) -> Collected:
        if self.busy or self.users:
            raise Busy("the image store is in use")
        going = self.needs().going(self.here, unreleased=unreleased)
        self.here -= frozenset() if dry_run else going
        return Collected("store", tuple(sorted(going)), blobs=len(going))

    def pin(self, pin: Pin) -> bool:
        self.pinned[pin.image] = pin
        return self.freezes

    def unpin(self, pin: Pin) -> None:
        self.pinned.pop(pin.image, None)


class Tidy(Bench):
    """A bench whose images do not stay for ever."""

    @asynccontextmanager
    async def _site(self, host: Host) -> AsyncIterator[Site]:
        async with super()._site(host) as site:
            yield replace(site, session=DirectSession({"image.collect": self._asked}, self.clock.now, all_kinds()))

    def _asked(self, _: Context, arguments: JSONObject) -> JSONObject:
        self.asked.append(arguments["images"])
        return {"images": [], "roots": [], "blobs": 0, "bytes": 0}

    @property
    def world(self) -> World:
        return replace(super().world, opening=lambda: self.kept)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.kept = Kept(self)
        self.asked: list[JSON] = []


@pytest.fixture
def bench() -> Tidy:
    return Tidy()


@pytest.fixture
def kept(bench: Tidy) -> Kept:
    return bench.kept


def released(bench: Bench, kept: Kept, greeting: str) -> str:
    image = bench.image_of(a_server(greeting, rollout=NARROW))
    kept.here.add(image)
    bench.apply(a_server(greeting, rollout=NARROW))
    return image


def test_what_a_rollout_discards_is_gone_when_it_has_ended(bench: Tidy, kept: Kept) -> None:
    one, two, three = (released(bench, kept, greeting) for greeting in ("one", "two", "three"))

    assert bench.states() == {1: "discarded", 2: "warm", 3: "live"}
    assert kept.here == {two, three}
    assert bench.asked == [[one]]
    assert [body["images"] for body in bench.bodies("store.collected")] == [[one]]
    assert bench.told("store.collect.intended", "store.collected") == ["store.collect.intended", "store.collected"]


def test_a_rollback_to_a_collected_image_is_refused_with_what_is_left(bench: Bench, kept: Kept) -> None:
    for greeting in ("one", "two", "three"):
        released(bench, kept, greeting)

    with pytest.raises(Denied) as refused:
        bench.rollback(to=1)

    assert "its image" in refused.value.diagnostics[0].why
    assert refused.value.diagnostics[0].hint == "releases that can be rolled back to: 2"
    assert bench.rollback().release == 2


def test_a_store_that_somebody_uses_is_left_alone_and_the_rollout_stands(bench: Bench, kept: Kept) -> None:
    released(bench, kept, "one")
    released(bench, kept, "two")
    kept.busy = True

    released(bench, kept, "three")

    assert len(kept.here) == 3
    assert bench.slots() == (3, 2)
    kept.busy = False
    found = do(collection.collect(bench.world))
    assert len(found[-1].images) == 1
    assert len(kept.here) == 2


def test_a_dry_run_tells_and_notes_nothing(bench: Bench, kept: Kept) -> None:
    released(bench, kept, "one")
    bench.retire()
    kept.here.add(bench.release(1).image)
    before = bench.told()

    found = do(collection.collect(bench.world, dry_run=True))

    assert len(found[-1].images) == 1
    assert bench.told() == before
    assert kept.here


def test_a_pinned_image_outlives_its_release(bench: Bench, kept: Kept) -> None:
    image = released(bench, kept, "one")
    with pytest.raises(UsageInvalid):
        collection.pin(image, bench.world, reason=" ")
    collection.pin(image, bench.world, reason="an audit")

    bench.retire()

    assert image in kept.here
    assert bench.bodies("image.pinned") == [{"image": image, "reason": "an audit"}]
    collection.unpin(image, bench.world, reason="it is over")
    do(collection.collect(bench.world))
    assert not kept.here


def test_a_pin_with_a_date_is_moved_on_and_never_back(bench: Bench, kept: Kept) -> None:
    image, now = released(bench, kept, "one"), bench.clock.now()
    collection.pin(image, bench.world, reason="the law", until=now + 100)

    assert collection.pin(image, bench.world, reason="the law", until=now + 50).until == now + 100
    with pytest.raises(Denied, match="stays until"):
        collection.unpin(image, bench.world, reason="")
    bench.clock.let_pass(101)
    assert collection.unpin(image, bench.world, reason="it is over").image == image


def held(bench: Bench, kept: Kept, greeting: str, *, seconds: float) -> str:
    """The same, of a server whose images are written once."""
    server = replace(a_server(greeting, rollout=NARROW), write_once=seconds)
    image = bench.image_of(server)
    kept.here.add(image)
    bench.apply(server)
    return image


def test_an_image_that_is_written_once_is_kept_from_its_bake_on_and_that_is_entered_once(bench: Bench, kept: Kept) -> None:
    now = bench.clock.now()
    image = held(bench, kept, "one", seconds=86_400)
    held(bench, kept, "one", seconds=86_400)

    assert [pin.reason for pin in kept.pinned.values()] == ["write_once of web"]
    assert abs(kept.pinned[image].until - now - 86_400) < 60
    assert [(body["image"], body["reason"]) for body in bench.bodies("image.pinned")] == [(image, "write_once of web")]
    with pytest.raises(Denied, match="stays until"):
        collection.unpin(image, bench.world, reason="I say so")


@pytest.mark.parametrize(
    ("freezes", "told"), [(True, "its files are immutable"), (False, "cannot be made immutable here: that takes root")]
)
def test_what_a_date_is_worth_on_this_disk_is_said(bench: Bench, kept: Kept, *, freezes: bool, told: str) -> None:
    kept.freezes = freezes

    held(bench, kept, "one", seconds=86_400)

    assert any(told in event.detail for event in bench.events)


def test_a_longer_time_moves_the_date_on_and_a_shorter_one_does_not_move_it_back(bench: Bench, kept: Kept) -> None:
    image = held(bench, kept, "one", seconds=86_400)
    first = kept.pinned[image].until
    held(bench, kept, "one", seconds=2 * 86_400)
    second = kept.pinned[image].until
    held(bench, kept, "one", seconds=3600)

    assert second == first + 86_400
    assert kept.pinned[image].until == second


def test_an_image_goes_with_its_release_once_its_time_is_over(bench: Bench, kept: Kept) -> None:
    image = held(bench, kept, "one", seconds=86_400)
    bench.retire()
    assert image in kept.here

    bench.clock.let_pass(86_401)
    do(collection.collect(bench.world))

    assert image not in kept.here
    assert [body["reason"] for body in bench.bodies("image.unpinned")] == ["write_once of web: over"]


def test_a_pin_of_somebody_is_still_theirs_when_that_time_is_over(bench: Bench, kept: Kept) -> None:
    image = released(bench, kept, "one")
    collection.pin(image, bench.world, reason="an audit")
    held(bench, kept, "one", seconds=86_400)
    bench.retire()

    bench.clock.let_pass(86_401)
    do(collection.collect(bench.world))

    assert kept.pinned[image].reason == "an audit"
    assert image in kept.here


def test_a_process_that_died_before_the_entry_makes_it_the_next_time(bench: Bench, kept: Kept) -> None:
    image = held(bench, kept, "one", seconds=86_400)
    pinned = kept.pinned[image]
    server = replace(a_server("two", rollout=NARROW), write_once=86_400.0)
    other = bench.image_of(server)
    kept.here.add(other)
    kept.pinned[other] = replace(pinned, image=other, until=pinned.until + 10**6)

    bench.apply(server)

    assert [body["image"] for body in bench.bodies("image.pinned")] == [image, other]
