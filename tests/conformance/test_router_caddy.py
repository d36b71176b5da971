"""Caddy keeps the promises of a router."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_router import ANCHOR, Kills, Logs, RealBench

from vitrify.onhost.identity import alive
from vitrify.project.binaries import find_bubblewrap, find_caddy
from vitrify.testing.router_bench import RouterBench, do
from vitrify.testing.router_suite import RouterSuite
from vitrify.testing.this_machine import ThisMachine

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def caddy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBench]:
    bench = RealBench(ThisMachine(tmp_path_factory.mktemp("caddy"), find_bubblewrap, find_caddy), "caddy", {"caddy": find_caddy})
    yield bench
    bench.end()


class TestCaddy(RouterSuite, Kills, Logs):
    @pytest.fixture
    def bench(self, caddy: RealBench) -> Iterator[RouterBench]:
        yield caddy
        caddy.clear()


def test_a_router_without_routes_ends_and_leaves_nothing(caddy: RealBench) -> None:
    state = caddy.machine.state(caddy.folder)
    assert alive(state.application)

    do(caddy.router.release(caddy.route(), server=ANCHOR))

    assert not alive(state.application)
    until = time.monotonic() + 5
    while alive(state.shim):  # its last word is that it stopped, and then it ends
        assert time.monotonic() < until
        time.sleep(0.01)
    assert [entry.name for entry in Path(caddy.machine.home).glob("*/[!.]*")] == []
    do(caddy.router.ensure(caddy.route("anchor.test"), server=ANCHOR))  # for whoever comes next
