"""A release that waits can be looked at before anybody gets it; somebody promotes it, or it is taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import ROLLOUT, ROUTE, Bench, a_server, do

from vitrify.core.declaration import Server
from vitrify.core.diagnostic import PreviousStillServing
from vitrify.core.strategy import Manner
from vitrify.lifecycle.preview import preview_route
from vitrify.lifecycle.settings import from_json
from vitrify.lifecycle.status import status

NEXT = "next.shop.test"
SHOP = replace(ROUTE, host="shop.test")


def waiting(greeting: str, *, preview: str = NEXT, manual: bool = True, **more: object) -> Server:
    rollout = replace(ROLLOUT, probation=0.0, manner=Manner(manual=manual, preview=preview))
    return a_server(greeting, route=SHOP, rollout=rollout, **more)  # type: ignore[arg-type]


@pytest.fixture
def bench() -> Bench:
    found = Bench()
    found.apply(waiting("one"))
    found.promote()
    return found


def ids(bench: Bench, host: str) -> list[str]:
    """The instances that a request for this host could reach."""
    found = bench.router.leads_to(host, "/")
    return [one.id for one in bench.instances() if found and f"127.0.0.1:{one.port}" in found.addresses]


def test_the_first_release_waits_as_well_and_nothing_serves_until_then() -> None:
    bench = Bench()

    waits = bench.apply(waiting("one"))

    assert "waits before it gets any request" in waits.waits
    assert waits.preview == "http://next.shop.test:8080/"
    assert (ids(bench, "shop.test"), len(ids(bench, NEXT))) == ([], 1)
    assert bench.promote().release == 1
    assert ids(bench, "shop.test") == bench.running()


def test_what_is_next_has_an_address_of_its_own_and_no_other(bench: Bench) -> None:
    old = ids(bench, "shop.test")

    bench.apply(waiting("two"))

    assert ids(bench, "shop.test") == old
    assert ids(bench, NEXT) == bench.running(release=2)
    (seen,) = do(status((waiting("two"),), bench.world))
    assert seen.preview == "http://next.shop.test:8080/"
    assert seen.rollout
    assert "before it gets any request" in seen.rollout.waits


def test_once_promoted_both_lead_to_it_and_a_new_configuration_is_never_loaded(bench: Bench) -> None:
    ensured = bench.router.ensured
    bench.apply(waiting("two"))
    bench.promote()

    assert ids(bench, "shop.test") == ids(bench, NEXT) == bench.running(release=2)
    assert bench.router.ensured == ensured


def test_once_aborted_both_lead_to_what_serves_on(bench: Bench) -> None:
    bench.apply(waiting("two"))
    bench.abort()

    assert ids(bench, "shop.test") == ids(bench, NEXT) == bench.running(release=1)
    assert bench.instances(release=2) == ()


def test_a_first_release_that_is_aborted_leaves_no_address(bench: Bench) -> None:
    fresh = Bench()
    fresh.apply(waiting("one"))
    fresh.abort()

    assert fresh.router.leads_to(NEXT, "/") is None
    assert fresh.instances() == ()
    assert bench.router.leads_to(NEXT, "/") is not None, "of another one"


def test_a_rollback_leads_the_preview_along(bench: Bench) -> None:
    bench.apply(waiting("two"))
    bench.promote()
    bench.rollback()

    assert ids(bench, "shop.test") == ids(bench, NEXT) == bench.running(release=1)


def test_who_takes_the_preview_out_has_none(bench: Bench) -> None:
    bench.apply(waiting("two", preview="", manual=False))

    assert bench.router.route(NEXT, "/") is None


def test_a_retired_server_leaves_no_preview(bench: Bench) -> None:
    bench.retire()

    assert bench.router.route(NEXT, "/") is None


def test_an_address_to_listen_on_is_a_router_of_its_own(bench: Bench) -> None:
    bench.apply(waiting("two", preview="127.0.0.1:8081"))

    route = preview_route(from_json(bench.release(2).settings))

    assert route
    assert (route.router.name, route.router.listen, route.host) == ("edge.next", "127.0.0.1:8081", "")
    bench.promote()
    assert bench.router.route(NEXT, "/") == ("web.next", route)
    assert ids(bench, NEXT) == ids(bench, "shop.test") == bench.running(release=2)


def test_a_preview_without_a_promotion_is_there_as_long_as_the_rollout_takes(bench: Bench) -> None:
    seen: list[list[str]] = []
    bench.happens_at["switch.intent"] = lambda: seen.append(ids(bench, NEXT))

    bench.apply(waiting("two", manual=False))

    assert seen == [bench.running(release=2)]


def test_one_that_is_ill_is_never_previewed(bench: Bench) -> None:
    with pytest.raises(PreviousStillServing):
        bench.apply(bench.make_ill(waiting("two")))

    assert ids(bench, NEXT) == bench.running(release=1)


def test_applying_again_waits_again_and_launches_nothing(bench: Bench) -> None:
    planned = bench.plan(waiting("two"))
    bench.apply(waiting("two"), planned)
    running = bench.running()

    again = bench.apply(waiting("two"))

    assert again.waits
    assert bench.running() == running
    assert bench.told("promote.0") == ["promote.0"], "of release 1"


def test_a_promotion_that_was_killed_is_promoted_by_the_next_apply(bench: Bench) -> None:
    bench.apply(waiting("two"))
    with bench.killed_at("promote.intent"):
        bench.promote()

    bench.apply(waiting("two"))

    assert bench.slots() == (2, 1)


def test_a_replacement_waits_for_nobody(bench: Bench) -> None:
    bench.runtime.alter(ids(bench, "shop.test")[0], "/srv/backdoor")

    assert bench.apply(waiting("one")).waits == ""
    assert ids(bench, "shop.test") == ids(bench, NEXT) == bench.running()
