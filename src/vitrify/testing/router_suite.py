"""What every Router promises, as tests. An adapter is done when a subclass of this suite passes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from vitrify.core.declaration import Health
from vitrify.core.diagnostic import Denied, TargetFailed
from vitrify.ports import Backends, Beside
from vitrify.testing.router_bench import RouterBench, ask, do, to
from vitrify.testing.router_pauses_suite import RouterPauses
from vitrify.testing.router_shares_suite import RouterShares


class RouterSuite(RouterShares, RouterPauses):
    """Subclass it, and give it a fixture `bench` of type `RouterBench`."""

    def test_before_the_first_switch_nothing_is_live_and_requests_are_refused_politely(self, bench: RouterBench) -> None:
        route = bench.route()

        do(bench.router.ensure(route, server="web"))

        assert do(bench.router.live("web")) is None
        assert ask(bench, route)[0] == 503

    def test_a_switch_sends_requests_to_the_new_set(self, bench: RouterBench) -> None:
        route = bench.route()
        do(bench.router.ensure(route, server="web"))
        for name in ("blue", "green", "blue"):
            times = do(bench.router.switch("web", to=to(bench, name)))

            assert ask(bench, route) == (200, name)
            assert do(bench.router.live("web")) == to(bench, name)
            assert times["intended_at"] <= times["prepared_at"] <= times["switched_at"]  # type: ignore[operator]

    def test_what_is_only_prepared_gets_no_request_until_it_is_switched_to(self, bench: RouterBench) -> None:
        route, green = bench.route(), to(bench, "green")
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=to(bench, "blue")))

        for _ in range(2):
            do(bench.router.prepare("web", to=green))

        assert ask(bench, route) == (200, "blue")
        assert do(bench.router.live("web")) == to(bench, "blue")
        do(bench.router.switch("web", to=green))
        assert ask(bench, route) == (200, "green")

    def test_switching_to_what_is_live_and_ensuring_what_is_there_are_harmless(self, bench: RouterBench) -> None:
        route = bench.route()
        for _ in range(3):
            do(bench.router.ensure(route, server="web"))
            do(bench.router.switch("web", to=to(bench, "blue")))

        assert ask(bench, route) == (200, "blue")
        assert do(bench.router.live("web")) == to(bench, "blue")

    def test_an_answer_is_waited_for_under_the_name_of_the_route(self, bench: RouterBench) -> None:
        route = bench.route("shop.test", "/api")
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=to(bench, "blue")))

        do(bench.router.answers(route, path="/api/orders"))

    def test_a_look_through_the_router_tells_what_a_client_gets(self, bench: RouterBench) -> None:
        route = bench.route("shop.test")
        do(bench.router.ensure(route, server="web"))
        before = do(bench.router.looks(route, Health(http="/")))
        do(bench.router.switch("web", to=to(bench, "blue")))

        assert "503" in before
        assert do(bench.router.looks(route, Health(http="/"))) == ""
        assert "status 200, not 204" in do(bench.router.looks(route, Health(http="/", status=204)))

    def test_all_addresses_of_a_set_get_requests(self, bench: RouterBench) -> None:
        route = bench.route()
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=to(bench, "blue", "green", "red")))

        assert {ask(bench, route)[1] for _ in range(60)} == {"blue", "green", "red"}

    def test_the_same_name_with_other_addresses_is_another_set(self, bench: RouterBench) -> None:
        route = bench.route()
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=Backends("set", (bench.backend("blue"),))))

        do(bench.router.switch("web", to=Backends("set", (bench.backend("green"),))))

        assert ask(bench, route) == (200, "green")

    def test_servers_share_a_router_by_host_and_path(self, bench: RouterBench) -> None:
        shop, api, rest = bench.route("shop.test"), bench.route("shop.test", "/api"), bench.route()
        for server, route in (("rest", rest), ("shop", shop), ("api", api)):
            do(bench.router.ensure(route, server=server))
            do(bench.router.switch(server, to=to(bench, server)))

        assert ask(bench, shop) == (200, "shop")
        assert ask(bench, shop, "/api/orders") == (200, "api")
        assert ask(bench, shop, "/apiary") == (200, "shop")
        assert ask(bench, rest) == (200, "rest")

    def test_a_new_route_leaves_the_traffic_of_others_where_it_is(self, bench: RouterBench) -> None:
        first = bench.route("one.test")
        do(bench.router.ensure(first, server="one"))
        do(bench.router.switch("one", to=to(bench, "blue")))

        do(bench.router.ensure(bench.route("two.test"), server="two"))

        assert ask(bench, first) == (200, "blue")
        assert do(bench.router.live("two")) is None

    def test_a_server_that_moves_to_another_host_goes_on_serving(self, bench: RouterBench) -> None:
        do(bench.router.ensure(bench.route("old.test"), server="web"))
        do(bench.router.switch("web", to=to(bench, "blue")))

        do(bench.router.ensure(bench.route("new.test"), server="web"))

        assert ask(bench, bench.route("new.test")) == (200, "blue")

    def test_one_route_cannot_lead_to_two_servers(self, bench: RouterBench) -> None:
        do(bench.router.ensure(bench.route("shop.test"), server="web"))

        with pytest.raises(Denied):
            do(bench.router.ensure(bench.route("shop.test"), server="other"))

    def test_traffic_of_an_unknown_server_and_to_nobody_is_refused(self, bench: RouterBench) -> None:
        with pytest.raises(TargetFailed):
            do(bench.router.switch("nobody", to=to(bench, "blue")))
        do(bench.router.ensure(bench.route(), server="web"))
        with pytest.raises(TargetFailed):
            do(bench.router.switch("web", to=Backends("empty", ())))

    def test_requests_under_way_are_counted_by_address_even_after_a_switch(self, bench: RouterBench) -> None:
        route, blue, green = bench.route(), bench.backend("blue"), bench.backend("green")
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=to(bench, "blue")))

        with bench.request_under_way(route):
            do(bench.router.switch("web", to=to(bench, "green")))
            assert do(bench.router.in_flight([blue])) == 1
            assert do(bench.router.in_flight([green])) == 0

        assert do(bench.router.in_flight([blue, green])) == 0

    def test_a_route_that_is_released_is_forgotten_and_others_go_on(self, bench: RouterBench) -> None:
        gone, stays = bench.route("gone.test"), bench.route("stays.test")
        for server, route in (("gone", gone), ("stays", stays)):
            do(bench.router.ensure(route, server=server))
            do(bench.router.switch(server, to=to(bench, server)))

        for _ in range(2):
            do(bench.router.release(gone, server="gone"))

        assert ask(bench, gone)[0] in (404, 503)
        assert do(bench.router.live("gone")) is None
        assert ask(bench, stays) == (200, "stays")

    def test_a_server_that_comes_back_after_its_release_starts_without_traffic(self, bench: RouterBench) -> None:
        route = bench.route()
        for _ in range(2):
            do(bench.router.ensure(route, server="web"))
            assert do(bench.router.live("web")) is None
            do(bench.router.switch("web", to=to(bench, "blue")))
            assert ask(bench, route) == (200, "blue")
            do(bench.router.release(route, server="web"))

    def test_a_route_has_an_address_for_clients(self, bench: RouterBench) -> None:
        url = do(bench.router.address(bench.route("shop.test", "/api")))

        assert url.startswith("http://shop.test:")
        assert url.endswith("/api")

    def test_of_two_switches_at_once_one_is_the_last_and_wholly_holds(self, bench: RouterBench) -> None:
        route = bench.route()
        do(bench.router.ensure(route, server="web"))
        pairs = [(to(bench, "blue"), to(bench, "green")), (to(bench, "red"), to(bench, "grey"))]

        for _ in range(5):
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda pair: do(bench.router.switch("web", to=pair[0], beside=Beside(pair[1], 50))), pairs * 2))

            live, second = do(bench.router.live("web")), do(bench.router.beside("web"))
            assert live
            assert second
            assert (live, second.backends) in pairs
            assert {ask(bench, route)[1] for _ in range(20)} == {live.name, second.backends.name}

    def test_a_router_that_dies_comes_back_with_all_that_it_knew(self, bench: RouterBench) -> None:
        first, second = bench.route("one.test"), bench.route("two.test")
        for server, route in (("one", first), ("two", second)):
            do(bench.router.ensure(route, server=server))
            do(bench.router.switch(server, to=to(bench, "old")))
        do(bench.router.switch("one", to=to(bench, "blue"), beside=Beside(to(bench, "green"), 50)))
        do(bench.router.switch("two", to=to(bench, "two")))
        do(bench.router.pause("two", at_most=30))

        bench.restart()

        assert {ask(bench, first)[1] for _ in range(20)} == {"blue", "green"}
        assert do(bench.router.beside("one")) == Beside(to(bench, "green"), 50)
        assert do(bench.router.paused("two"))
        do(bench.router.resume("two"))
        assert ask(bench, second) == (200, "two")

    def test_a_websocket_lives_through_switches_and_is_counted_where_it_began(self, bench: RouterBench) -> None:
        route, blue, green = bench.route(), to(bench, "blue"), to(bench, "green")
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=blue))

        with bench.websocket(route) as say:
            do(bench.router.switch("web", to=green))
            assert say("hello") == "blue: hello"
            assert do(bench.router.in_flight(blue.addresses)) == 1

        assert ask(bench, route) == (200, "green")
        assert do(bench.router.in_flight(blue.addresses)) == 0

    def test_a_websocket_that_is_to_be_closed_holds_nobody_back(self, bench: RouterBench) -> None:
        route, blue = replace(bench.route(), websockets="close"), to(bench, "blue")
        do(bench.router.ensure(route, server="web"))
        do(bench.router.switch("web", to=blue))

        with bench.websocket(route) as say:
            assert say("hello") == "blue: hello"
            assert do(bench.router.in_flight(blue.addresses)) == 0
        with bench.request_under_way(route):
            assert do(bench.router.in_flight(blue.addresses)) == 1
