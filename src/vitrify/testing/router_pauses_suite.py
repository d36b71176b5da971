"""What every Router promises while nothing is to be reached, as tests: requests wait, none is lost, and whoever waits too long is told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace

import pytest

from vitrify.core.declaration import Route
from vitrify.core.diagnostic import TargetFailed
from vitrify.testing.router_bench import Reply, RouterBench, ask, do, to

LONG, SHORT = 30.0, 1.0


def held(bench: RouterBench, route: Route, pool: ThreadPoolExecutor, count: int) -> Sequence[Future[Reply]]:
    """So many requests, none of which is answered for a while."""
    requests = [pool.submit(bench.reply, route) for _ in range(count)]
    assert not wait(requests, timeout=0.2).done
    return requests


class RouterPauses:
    """A part of `RouterSuite`."""

    def test_requests_wait_while_a_route_is_paused_and_are_answered_once_it_is_not(self, bench: RouterBench) -> None:
        route = bench.route()
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=to(bench, "blue")))
        assert not do(bench.router.paused("web"))
        for _ in range(2):
            do(bench.router.pause("web", at_most=LONG))
            do(bench.router.pause("web", at_most=LONG))
            assert do(bench.router.paused("web"))
            assert do(bench.router.live("web")) == to(bench, "blue")

            with ThreadPoolExecutor(8) as pool:
                requests = held(bench, route, pool, 8)
                for _ in range(2):
                    do(bench.router.resume("web"))

                assert {(one.result().status, one.result().body) for one in requests} == {(200, "blue")}
            assert not do(bench.router.paused("web"))

    def test_a_switch_ends_a_pause_and_whoever_waited_goes_where_it_leads(self, bench: RouterBench) -> None:
        route = bench.route()
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=to(bench, "blue")))
        do(bench.router.pause("web", at_most=LONG))

        with ThreadPoolExecutor(4) as pool:
            requests = held(bench, route, pool, 4)
            do(bench.router.switch("web", to=to(bench, "green")))

            assert {one.result().body for one in requests} == {"green"}
        assert not do(bench.router.paused("web"))

    def test_nobody_waits_longer_than_was_said_and_is_shown_the_page_then(self, bench: RouterBench) -> None:
        route = replace(bench.route(), maintenance="<h1>Back at nine</h1>")
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=to(bench, "blue")))
        do(bench.router.pause("web", at_most=SHORT))

        began = time.monotonic()
        reply = bench.reply(route)

        assert SHORT / 2 < time.monotonic() - began < SHORT + 1
        assert (reply.status, reply.body) == (503, "<h1>Back at nine</h1>")
        assert int(reply.headers["retry-after"]) > 0
        assert reply.headers["content-type"].startswith("text/html")
        assert do(bench.router.paused("web"))

    def test_the_health_path_is_answered_while_requests_wait(self, bench: RouterBench) -> None:
        route = replace(bench.route(), health="/healthz")
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=to(bench, "blue")))
        assert ask(bench, route, "/healthz") == (200, "blue")

        do(bench.router.pause("web", at_most=LONG))

        reply = bench.reply(route, "/healthz")
        assert reply.status == 200
        assert reply.body != "blue"

    def test_what_is_under_way_when_a_pause_begins_goes_on(self, bench: RouterBench) -> None:
        route, blue = bench.route(), to(bench, "blue")
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=blue))

        with bench.request_under_way(route):
            do(bench.router.pause("web", at_most=LONG))
            assert do(bench.router.in_flight(blue.addresses)) == 1

        assert do(bench.router.in_flight(blue.addresses)) == 0

    def test_others_are_not_held(self, bench: RouterBench) -> None:
        first, second = bench.route("one.test"), bench.route("two.test")
        for server, route in (("one", first), ("two", second)):
            do(bench.router.ensure(route, server=server))
            do(bench.router.switch(server, to=to(bench, server)))

        do(bench.router.pause("one", at_most=LONG))

        assert ask(bench, second) == (200, "two")
        assert not do(bench.router.paused("two"))

    def test_whoever_comes_before_the_first_switch_is_shown_the_page(self, bench: RouterBench) -> None:
        route = replace(bench.route(), maintenance="<p>Soon</p>")
        do(bench.router.ensure(route, server="web"))
        assert ask(bench, route) == (503, "<p>Soon</p>")

        do(bench.router.ensure(replace(route, maintenance="<p>Sooner</p>"), server="web"))

        assert ask(bench, route) == (503, "<p>Sooner</p>")

    def test_traffic_of_an_unknown_server_cannot_be_held(self, bench: RouterBench) -> None:
        with pytest.raises(TargetFailed):
            do(bench.router.pause("nobody", at_most=LONG))
        assert not do(bench.router.paused("nobody"))
