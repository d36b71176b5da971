"""What the lock pins, as the stories treat it: chosen once, moved by `update` alone, named as the reason of a new release."""

from __future__ import annotations

from dataclasses import replace

from bench import LOCAL, Bench, a_server, do

from vitrify.core.declaration import Base, Server
from vitrify.core.image_report import Moved
from vitrify.core.resource import Address, Resource
from vitrify.lifecycle.outdated import outdated
from vitrify.lifecycle.update import update


def a_debian(*packages: str) -> Server:
    """The usual server, upon a base of packages, with these on it."""
    server = a_server()
    wishes = tuple(Resource(Address("package", name), {"name": name}) for name in packages)
    return replace(server, base=Base("debootstrap", suite="bookworm"), resources=(*wishes, *server.resources))


def offering(**versions: str) -> Bench:
    bench = Bench()
    bench.images.offered = {"base": "1", **versions}
    return bench


def test_the_first_apply_pins_what_it_chose_and_the_next_finds_nothing_to_do() -> None:
    bench, server = offering(curl="7"), a_debian("curl")
    planned = bench.plan(server)
    assert any("vitrify.lock says nothing for web yet" in notice for notice in planned.notices)

    bench.apply(server, planned)

    assert [deb.version for deb in bench.pins.lock.servers["web", "amd64"].debs] == ["7"]
    bench.images.offered["curl"] = "8"
    assert bench.plan(server).empty


def test_a_dry_run_tells_what_would_move_and_moves_nothing() -> None:
    bench, server = offering(curl="7"), a_debian("curl")
    bench.apply(server)
    bench.images.offered |= {"curl": "8+security", "base": "2"}
    before = bench.pins.lock

    told = do(update([server], [server], LOCAL, bench.world, dry_run=True))

    assert told.moves == (
        Moved("debootstrap:bookworm", "base", "1", "2"),
        Moved("web", "curl", "7", "8+security", security=True),
    )
    assert bench.pins.lock == before
    assert not told.written


def test_a_release_after_an_update_says_what_moved() -> None:
    bench, server = offering(curl="7"), a_debian("curl")
    bench.apply(server)
    bench.images.offered |= {"curl": "8", "base": "2"}
    do(update([server], [server], LOCAL, bench.world, dry_run=False))

    planned = bench.plan(server)

    assert planned.kind == "release"
    assert planned.because == (
        "its base debootstrap:bookworm moved since release 1: base 1 -> 2",
        "what it installs moved since release 1: curl 7 -> 8",
    )


def test_whoever_stands_on_the_same_base_is_chosen_for_again() -> None:
    bench, web = offering(curl="7", jq="1"), a_debian("curl")
    api = replace(a_debian("jq"), name="api")
    bench.apply(web)
    bench.images.offered |= {"jq": "2"}

    told = do(update([web], [web, api], LOCAL, bench.world, dry_run=False))

    assert told.servers == ("web", "api")
    assert [deb.version for deb in bench.pins.lock.servers["api", "amd64"].debs] == ["2"]


def test_an_update_of_all_forgets_what_nobody_declares_any_more() -> None:
    bench, web = offering(curl="7"), a_debian("curl")
    bench.apply(web)
    api = replace(web, name="api", base=Base("scratch"))

    told = do(update([api], [api], LOCAL, bench.world, dry_run=False))

    assert {(move.subject, move.name, move.new) for move in told.moves} >= {("debootstrap:bookworm", "base", ""), ("web", "curl", "")}
    assert list(bench.pins.lock.servers) == [("api", "amd64")]


def test_how_far_an_image_is_behind_is_told_by_what_was_pinned_for_it() -> None:
    bench, server = offering(curl="7"), a_debian("curl")
    bench.apply(server)
    bench.images.offered |= {"curl": "8+security"}

    (row,) = do(outdated([server], bench.world, parallel=1))

    assert [(one.name, one.installed, one.candidate, one.security) for one in row.packages] == [("curl", "7", "8+security", True)]
    assert row.patched_at is not None
