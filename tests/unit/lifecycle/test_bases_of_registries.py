"""A base that is named by a tag is pinned by its digest: chosen once, and moved by `update` alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import Bench, a_server, do

from vitrify.core.declaration import Base
from vitrify.core.locked import Inputs, Lock
from vitrify.lifecycle import baking, pins
from vitrify.lifecycle.pins import Pinned
from vitrify.lifecycle.update import update

NAME = "registry.example/base:stable"
FIRST, SECOND = ("sha256:" + digit * 64 for digit in "12")


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.images.tags[NAME] = FIRST
    return bench


SERVER = a_server(base=Base("oci", reference=NAME))


def test_a_plan_says_that_the_tag_is_to_be_resolved_and_asks_nobody(bench: Bench) -> None:
    del bench.images.tags[NAME]

    planned = bench.plan(SERVER)

    assert any("vitrify.lock says nothing" in notice for notice in planned.notices)


def test_the_first_bake_pins_what_the_tag_stands_for_and_later_ones_keep_it(bench: Bench) -> None:
    first = do(baking.bake(SERVER, SERVER.hosts[0], bench.world)).digest
    bench.images.tags[NAME] = SECOND

    assert bench.pins.read().references == {NAME: FIRST}
    assert do(baking.bake(SERVER, SERVER.hosts[0], bench.world)).digest == first


def test_update_moves_it_and_the_plan_says_so(bench: Bench) -> None:
    bench.apply(SERVER)
    bench.images.tags[NAME] = SECOND
    assert bench.plan(SERVER).empty

    moved = do(update([SERVER], [SERVER], SERVER.hosts[0], bench.world, dry_run=False))

    assert [(move.subject, move.old, move.new) for move in moved.moves] == [(f"oci:{NAME}", FIRST, SECOND)]
    assert bench.pins.read().references == {NAME: SECOND}
    planned = bench.plan(SERVER)
    assert planned.kind == "release"
    assert any(f"its base oci:{NAME} moved" in reason for reason in planned.because)


def test_a_digest_needs_no_lock(bench: Bench) -> None:
    exact = replace(SERVER, base=Base("oci", reference=f"{NAME}@{SECOND}"))

    do(baking.bake(exact, exact.hosts[0], bench.world))

    assert bench.pins.read() == Lock()
    assert not Pinned.of(exact, bench.pins, bench.world.kinds).lacking


def test_what_is_installed_is_chosen_upon_the_digest() -> None:
    lock = Lock().reference(NAME, FIRST)

    chosen = pins.with_inputs(lock, SERVER, Inputs(), pins.NoPins()).servers["web", "amd64"]

    assert chosen.base == f"oci:{NAME}@{FIRST}"
