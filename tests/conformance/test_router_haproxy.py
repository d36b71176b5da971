"""HAProxy keeps the promises of a router."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from real_router import RealBench

from vitrify.project.binaries import HAPROXY, find, find_bubblewrap, find_caddy
from vitrify.testing.router_bench import RouterBench
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


class TestHaproxy(RouterSuite):
    @pytest.fixture
    def bench(self, haproxy: RealBench) -> Iterator[RouterBench]:
        yield haproxy
        haproxy.clear()
