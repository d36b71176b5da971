"""What every Router promises of a second set beside the first, as tests: its share, who stays there, what its answers are like."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from vitrify.core.declaration import Route, Sticky
from vitrify.core.diagnostic import TargetFailed
from vitrify.ports import Backends, Beside, Measured
from vitrify.testing.router_bench import RouterBench, ask, do, to

SOON = 5.0
"""Seconds in which an answer must have been counted."""


def beside(bench: RouterBench, name: str, percent: int) -> Beside:
    """A share of the requests for one backend."""
    return Beside(to(bench, name), percent)


def measured(bench: RouterBench, of: Backends, requests: int) -> Measured:
    """What was counted of a set, once it was so many requests, or as many as there were soon."""
    until = time.monotonic() + SOON
    while (found := do(bench.router.measured("web", of=of))).requests < requests and time.monotonic() < until:
        time.sleep(0.01)
    return found


class RouterShares:
    """A part of `RouterSuite`."""

    def test_a_share_of_the_requests_goes_beside(self, bench: RouterBench) -> None:
        route = bench.route()
        do(bench.router.ensure(route, server="web"))
        for percent in (5, 50):
            do(bench.router.switch("web", to=to(bench, "blue"), beside=beside(bench, "green", percent)))

            answers = [ask(bench, route)[1] for _ in range(100)]

            assert answers.count("green") == pytest.approx(percent, abs=2)
            assert answers.count("blue") + answers.count("green") == 100

    def test_a_router_tells_what_is_beside_until_it_is_switched_away(self, bench: RouterBench) -> None:
        route = bench.route()
        do(bench.router.ensure(route, server="web"))
        assert do(bench.router.beside("web")) is None
        do(bench.router.switch("web", to=to(bench, "blue"), beside=beside(bench, "green", 25)))
        assert do(bench.router.beside("web")) == beside(bench, "green", 25)
        assert do(bench.router.live("web")) == to(bench, "blue")

        do(bench.router.switch("web", to=to(bench, "green")))

        assert do(bench.router.beside("web")) is None
        assert {ask(bench, route)[1] for _ in range(20)} == {"green"}

    def test_a_share_that_is_none_is_refused(self, bench: RouterBench) -> None:
        do(bench.router.ensure(bench.route(), server="web"))
        for percent in (0, 3, 100, -5):
            with pytest.raises(TargetFailed):
                do(bench.router.switch("web", to=to(bench, "blue"), beside=beside(bench, "green", percent)))
        with pytest.raises(TargetFailed):
            do(bench.router.switch("web", to=to(bench, "blue"), beside=Beside(Backends("nobody", ()), 5)))
        assert do(bench.router.live("web")) is None

    def test_a_visitor_with_a_cookie_stays_where_the_first_request_went_while_the_share_grows(self, bench: RouterBench) -> None:
        route = replace(bench.route(), sticky=Sticky(cookie="seat"))
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=to(bench, "blue", "red"), beside=beside(bench, "green", 25)))
        visitors: dict[str, str] = {}
        while set(visitors.values()) != {"blue", "red", "green"}:
            reply = bench.reply(route)
            visitors[reply.headers["set-cookie"].partition(";")[0]] = reply.body

        assert all(_body(bench, route, "Cookie", cookie) == name for cookie, name in visitors.items() for _ in range(2))
        do(bench.router.switch("web", to=to(bench, "blue", "red"), beside=beside(bench, "green", 75)))

        seated = {cookie for cookie, name in visitors.items() if name == "green"}
        assert all(_body(bench, route, "Cookie", cookie) == "green" for cookie in seated)

    def test_requests_with_the_same_header_go_to_the_same_place(self, bench: RouterBench) -> None:
        route = replace(bench.route(), sticky=Sticky(header="X-Customer"))
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=to(bench, "blue"), beside=beside(bench, "green", 50)))

        seats = {customer: {_body(bench, route, "X-Customer", customer) for _ in range(3)} for customer in map(str, range(12))}

        assert all(len(names) == 1 for names in seats.values())
        assert set.union(*seats.values()) == {"blue", "green"}

    def test_answers_are_measured_set_by_set_from_the_switch_on(self, bench: RouterBench) -> None:
        route, blue, green = bench.route(), to(bench, "blue"), to(bench, "green")
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=blue))
        ask(bench, route)
        assert measured(bench, blue, 1).requests == 1
        do(bench.router.switch("web", to=blue, beside=Beside(green, 50)))
        for path in ["/"] * 20 + ["/fail"] * 20:
            ask(bench, route, path)

        stayed, canary = measured(bench, blue, 20), measured(bench, green, 20)

        assert (stayed.requests, stayed.errors) == (20, 10)
        assert (canary.requests, canary.errors) == (20, 10)
        assert canary.p95 is not None
        assert 0 <= canary.p95 < 1
        assert do(bench.router.measured("web", of=to(bench, "red"))) == Measured(0, 0, None)


def _body(bench: RouterBench, route: Route, header: str, value: str) -> str:
    return bench.reply(route, headers={header: value}).body
