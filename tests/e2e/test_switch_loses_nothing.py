"""Switches under keep-alive POSTs that are never repeated: what was sent was answered, and the applications agree."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from vitrify.core.declaration import Route, Router
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSONObject
from vitrify.ports import Backends, Beside
from vitrify.project.binaries import find_bubblewrap, find_caddy
from vitrify.project.tools import caddy_here, haproxy_here
from vitrify.routers.on_host import OnHostRouter
from vitrify.testing.runtime_suite import do
from vitrify.testing.this_machine import ThisMachine, free_port

pytestmark = pytest.mark.e2e

SWITCHES = 24


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[ThisMachine]:
    found = ThisMachine(tmp_path, find_bubblewrap, find_caddy)
    yield found
    found.end()


@pytest.fixture
def route() -> Route:
    return Route(Router("edge", "caddy", f"127.0.0.1:{free_port()}"))


@pytest.fixture(params=["caddy", "haproxy"])
def either(request: pytest.FixtureRequest) -> Route:
    """A route through a router of each kind."""
    return Route(Router("edge", str(request.param), f"127.0.0.1:{free_port()}"))


def a_router(machine: ThisMachine) -> OnHostRouter:
    return OnHostRouter(machine.session, home=machine.home, programs={"caddy": caddy_here, "haproxy": haproxy_here})


def launch(machine: ThisMachine, identity: str, *, release: str) -> str:
    """Launch one and wait until it serves; its address."""
    found = do(machine.session.call("instance.launch", machine.launching(machine.wish(identity, release=release))))
    asked: JSONObject = {"home": machine.home, "id": identity, "health": {"http": "/"}}
    within(10, lambda: do(machine.session.call("instance.healthy", asked))["reason"] == "")
    return f"127.0.0.1:{found['port']}"


def within(seconds: float, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.02)


def drained(machine: ThisMachine, address: str) -> None:
    within(10, lambda: do(a_router(machine).in_flight([address])) == 0)


class Load:
    """The load, as the separate program that it is."""

    def __init__(self, route: Route, *more: str) -> None:
        command = [sys.executable, "-m", "vitrify.testing.load", f"http://{route.router.listen}/", "--echo", "--connections", "6", *more]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ":".join(sys.path)})

    def ended(self) -> JSONObject:
        """End it, and what it counted."""
        self._process.terminate()
        return self.over()

    def over(self) -> JSONObject:
        """What it counted, once its time is over."""
        report, _ = self._process.communicate(timeout=60)
        found = json.loads(report)
        assert isinstance(found, dict)
        return found


def test_switches_under_load_lose_no_request(machine: ThisMachine, either: Route, record_property: Callable[[str, object], None]) -> None:
    router, kind = a_router(machine), either.router.kind
    addresses = {release: launch(machine, f"web-{release}", release=release) for release in ("blue", "green")}
    do(router.ensure(either, server="web"))
    do(router.switch("web", to=Backends("blue", (addresses["blue"],))))
    load = Load(either, "--seconds", "60")
    time.sleep(0.5)

    for number in range(SWITCHES):
        release = ("green", "blue")[number % 2]
        do(router.switch("web", to=Backends(f"{release}-{number}", (addresses[release],))))
        time.sleep(0.1)
    report = load.ended()

    record_property("note", f"switch by {kind}: {report['requests']} requests, {SWITCHES} switches, {report['lost']} lost")
    assert report["lost"] == 0, report["errors"]
    assert report["answered"] == machine.posts("web-blue") + machine.posts("web-green")
    assert set(report["releases"]) == {"blue", "green"}  # type: ignore[arg-type]
    assert report["connections"] == 6


def test_pauses_and_shares_under_load_lose_no_request(machine: ThisMachine, either: Route) -> None:
    router = a_router(machine)
    blue, green = (Backends(name, (launch(machine, f"web-{name}", release=name),)) for name in ("blue", "green"))
    do(router.ensure(either, server="web"))
    do(router.switch("web", to=blue))
    load = Load(either, "--seconds", "60")

    for percent in (5, 25, 50):
        do(router.switch("web", to=blue, beside=Beside(green, percent)))
        do(router.pause("web", at_most=30))
        time.sleep(0.3)
        do(router.resume("web"))
        time.sleep(0.2)
    do(router.pause("web", at_most=30))
    do(router.switch("web", to=green))
    time.sleep(0.2)
    report = load.ended()

    assert report["lost"] == 0, report["errors"]
    assert report["answered"] == machine.posts("web-blue") + machine.posts("web-green")
    assert report["connections"] == 6


def test_a_new_route_of_haproxy_loses_no_request(machine: ThisMachine, route: Route) -> None:
    edge = replace(route.router, kind="haproxy")
    router, first = a_router(machine), Route(edge)
    blue = Backends("blue", (launch(machine, "web-blue", release="blue"),))
    do(router.ensure(first, server="web"))
    do(router.switch("web", to=blue))
    load = Load(first, "--seconds", "60")
    within(5, lambda: machine.posts("web-blue") > 20)

    for number in range(3):
        do(router.ensure(Route(edge, f"new-{number}.test"), server=f"new-{number}"))
        time.sleep(0.3)
    report = load.ended()

    assert report["lost"] == 0, report["errors"]
    assert report["answered"] == machine.posts("web-blue")


def test_a_release_is_drained_and_stopped_without_losing_a_request(machine: ThisMachine, route: Route) -> None:
    router = a_router(machine)
    do(router.ensure(route, server="web"))
    old = launch(machine, "web-0", release="r0")
    do(router.switch("web", to=Backends("r0", (old,))))
    load = Load(route, "--seconds", "60")

    for number in range(1, 5):
        new = launch(machine, f"web-{number}", release=f"r{number}")
        do(router.switch("web", to=Backends(f"r{number}", (new,))))
        drained(machine, old)
        do(machine.session.call("instance.stop", {"home": machine.home, "id": f"web-{number - 1}", "grace": 5}))
        old = new
    report = load.ended()

    assert report["lost"] == 0, report["errors"]
    assert report["answered"] == sum(machine.posts(f"web-{number}") for number in range(5))


def test_one_replica_that_dies_is_not_noticed_by_clients_that_come_after(machine: ThisMachine, route: Route) -> None:
    router = a_router(machine)
    pair = (launch(machine, "web-a", release="a"), launch(machine, "web-b", release="b"))
    do(router.ensure(route, server="web"))
    do(router.switch("web", to=Backends("pair", pair)))
    do(machine.session.call("instance.stop", {"home": machine.home, "id": "web-a", "grace": 1}))
    load = Load(route, "--seconds", "60")
    within(5, lambda: machine.posts("web-b") > 100)

    report = load.ended()

    assert report["lost"] == 0, report["errors"]
    assert set(report["releases"]) == {"b"}  # type: ignore[arg-type]


def test_a_router_that_is_killed_comes_back_with_its_traffic(machine: ThisMachine, route: Route) -> None:
    router = a_router(machine)
    do(router.ensure(route, server="web"))
    do(router.switch("web", to=Backends("blue", (launch(machine, "web-1", release="blue"),))))
    folder = Path(machine.home, "routers", "edge")
    machine.kill_application(folder)
    within(5, lambda: machine.state(folder).restarts == 1 and machine.state(folder).status == "running")
    time.sleep(0.2)

    load = Load(route, "--seconds", "60")
    within(10, lambda: machine.posts("web-1") > 0)

    assert load.ended()["lost"] == 0
    do(router.ensure(route, server="web"))
    assert machine.state(folder).restarts == 1


def test_a_router_and_its_shim_that_are_killed_are_started_by_the_next_ensure(machine: ThisMachine, route: Route) -> None:
    router = a_router(machine)
    do(router.ensure(route, server="web"))
    folder = Path(machine.home, "routers", "edge")
    gone = machine.state(folder)
    machine.kill_shim(folder)
    within(3, lambda: machine.state(folder).status == "lost")

    do(router.ensure(route, server="web"))

    assert machine.state(folder).shim != gone.shim
    assert machine.state(folder).status == "running"


def test_a_configuration_that_was_written_and_never_loaded_is_loaded_by_the_next_ensure(machine: ThisMachine, route: Route) -> None:
    do(a_router(machine).ensure(route, server="web"))

    class KilledError(Exception):
        """The process ends here."""

    def die(point: str) -> None:
        if point == "router-ensure.intent":
            raise KilledError

    dying = ThisMachine(machine.folder, find_bubblewrap, find_caddy, die)
    other = Route(route.router, "other.test")
    with pytest.raises(KilledError):
        do(a_router(dying).ensure(other, server="other"))

    changed = do(
        machine.session.call(
            "router.ensure",
            {
                "home": machine.home,
                "program": find_caddy(),
                "router": {"name": "edge", "listen": route.router.listen, "tls": "off"},
                "route": {"server": "other", "host": "other.test", "path": "/"},
            },
        )
    )

    assert changed == {"changed": True}


def test_a_port_that_is_taken_is_said_plainly(machine: ThisMachine) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = Route(Router("edge", "caddy", f"127.0.0.1:{holder.getsockname()[1]}"))

        with pytest.raises(TargetFailed) as refused:
            do(a_router(machine).ensure(taken, server="web"))

    assert "cannot listen" in str(refused.value)


@pytest.mark.parametrize("kind", ["caddy", "haproxy"])
def test_a_router_that_refuses_its_configuration_says_why_in_its_own_words(machine: ThisMachine, kind: str) -> None:
    with pytest.raises(TargetFailed) as refused:
        do(a_router(machine).ensure(Route(Router("edge", kind, "256.1.1.1:8080")), server="web"))

    assert "256.1.1.1" in str(refused.value)
