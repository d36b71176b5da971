"""HAProxy keeps the promises of a router."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing

import pytest
from real_router import Kills, Logs, RealBench

from vitrify.core.shares import SLOTS
from vitrify.onhost.console import Console
from vitrify.onhost.haproxy import PLACES
from vitrify.project.binaries import HAPROXY, find, find_bubblewrap, find_caddy
from vitrify.testing.router_bench import RouterBench, ask, do, to
from vitrify.testing.router_suite import RouterSuite
from vitrify.testing.this_machine import ThisMachine

pytestmark = pytest.mark.e2e


def find_haproxy() -> str:
    return find(HAPROXY).path


@pytest.fixture(scope="module")
def haproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBench]:
    machine = ThisMachine(tmp_path_factory.mktemp("haproxy"), find_bubblewrap, find_caddy)
    bench = RealBench(machine, "haproxy", {"haproxy": find_haproxy})
    yield bench
    bench.end()


class TestHaproxy(RouterSuite, Kills, Logs):
    @pytest.fixture
    def bench(self, haproxy: RealBench) -> Iterator[RouterBench]:
        yield haproxy
        haproxy.clear()


def test_what_the_process_before_is_answering_is_still_counted_after_a_new_route(haproxy: RealBench) -> None:
    route, blue = haproxy.route(), to(haproxy, "blue")
    do(haproxy.router.ensure(route, server="web"))
    do(haproxy.router.switch("web", to=blue))

    with haproxy.request_under_way(route):
        do(haproxy.router.ensure(haproxy.route("new.test"), server="new"))
        assert do(haproxy.router.in_flight(blue.addresses)) == 1
        do(haproxy.router.switch("web", to=to(haproxy, "green")))
        assert do(haproxy.router.in_flight(blue.addresses)) == 1

    haproxy.clear()


def test_a_set_that_is_still_answering_is_never_overwritten_however_many_come_after(haproxy: RealBench) -> None:
    route, blue = haproxy.route(), to(haproxy, "blue")
    do(haproxy.router.ensure(route, server="web"))
    do(haproxy.router.switch("web", to=blue))

    with haproxy.websocket(route) as say:
        for number in range(PLACES + 1):
            do(haproxy.router.switch("web", to=to(haproxy, f"set-{number}")))
            with haproxy.websocket(route) as other:
                assert other("hello") == f"set-{number}: hello"
        assert say("hello") == "blue: hello"
        assert do(haproxy.router.in_flight(blue.addresses)) == 1

    haproxy.clear()


def test_a_set_that_was_noted_and_never_told_is_told_before_requests_are_led_to_it(haproxy: RealBench) -> None:
    route, console = haproxy.route(), Console(str(haproxy.folder))
    do(haproxy.router.ensure(route, server="web"))
    for name in ("blue", "green"):
        do(haproxy.router.switch("web", to=to(haproxy, name)))
    console.ask(*(f"set server web.0/s{slot} addr 127.0.0.1 port 1" for slot in range(SLOTS)))
    (haproxy.folder / "web.0.unsure").touch()  # as a call leaves it that was killed between the two

    do(haproxy.router.switch("web", to=to(haproxy, "blue")))

    assert ask(haproxy, route) == (200, "blue")
    assert not list(haproxy.folder.glob("*.unsure"))
    haproxy.clear()


def test_what_a_killed_call_left_goes_with_the_route_of_its_server(haproxy: RealBench) -> None:
    do(haproxy.router.ensure(haproxy.route(), server="web"))
    (haproxy.folder / "web.0.unsure").touch()

    haproxy.clear()

    assert not list(haproxy.folder.glob("*.unsure"))


def test_places_are_added_while_all_are_busy(haproxy: RealBench) -> None:
    route = haproxy.route()
    do(haproxy.router.ensure(route, server="web"))
    with ExitStack() as open_ones:
        for number in range(PLACES + 2):
            live = to(haproxy, f"set-{number}")
            do(haproxy.router.switch("web", to=live))
            assert ask(haproxy, route) == (200, live.name)
            say = open_ones.enter_context(haproxy.websocket(route))
            assert say("hello") == f"{live.name}: hello"

        counts = [do(haproxy.router.in_flight(to(haproxy, f"set-{number}").addresses)) for number in range(PLACES + 2)]
        assert counts == [1] * (PLACES + 2)

    haproxy.clear()


def test_a_connection_that_a_client_kept_from_before_a_new_route_follows_the_next_switch(haproxy: RealBench) -> None:
    route = haproxy.route()
    do(haproxy.router.ensure(route, server="web"))
    do(haproxy.router.switch("web", to=to(haproxy, "blue")))
    with ExitStack() as open_ones:
        kept = [open_ones.enter_context(closing(http.client.HTTPConnection(haproxy.edge.listen, timeout=10))) for _ in range(3)]
        assert {_body(connection) for connection in kept} == {"blue"}

        do(haproxy.router.ensure(haproxy.route("new.test"), server="new"))
        do(haproxy.router.switch("web", to=to(haproxy, "green")))
        assert _body(kept[0]) == "green"
        do(haproxy.router.pause("web", at_most=30))
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(_body, kept[1])
            assert not wait([held], timeout=0.3).done
            do(haproxy.router.switch("web", to=to(haproxy, "red")))
            assert held.result() == "red"
        assert _body(kept[2]) == "red"
    haproxy.clear()


def _body(connection: http.client.HTTPConnection) -> str:
    connection.request("GET", "/")
    return connection.getresponse().read().decode()
