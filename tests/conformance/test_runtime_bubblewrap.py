"""Bubblewrap keeps the promises of a runtime."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from vitrify.ports import InstanceSpec, Runtime
from vitrify.project.binaries import find_bubblewrap, find_caddy
from vitrify.runtimes.bubblewrap import BubblewrapRuntime
from vitrify.stores.carrying import NearbyCarrier
from vitrify.testing.runtime_suite import RuntimeBench, RuntimeSuite
from vitrify.testing.this_machine import ThisMachine

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Layout:
    """The one layout there is."""

    path: str

    def folder(self, image: str) -> str:
        return self.path

    def has(self, image: str) -> bool:
        return True


@dataclass(frozen=True)
class BubblewrapBench:
    """Real instances on this machine."""

    machine: ThisMachine

    @property
    def runtime(self) -> Runtime:
        return BubblewrapRuntime(
            self.machine.session, home=self.machine.home, images=NearbyCarrier(Layout(str(self.machine.folder / "store")))
        )

    def spec(self, identity: str) -> InstanceSpec:
        wish = self.machine.wish(identity)
        environment = {"RELEASE": "one"}
        argv = ("/usr/bin/python3", "-I", "/srv/app/serve.py")
        assert wish["argv"] == list(argv)
        return InstanceSpec(identity, self.machine.image, argv, {"server": "web"}, environment, writable=("/srv/count",), port=8000)

    def broken(self, identity: str) -> InstanceSpec:
        return replace(self.spec(identity), argv=("/no/such/program",))

    def now(self) -> float:
        return time.time()

    def let_pass(self, seconds: float) -> None:
        time.sleep(seconds)

    def crash(self, identity: str) -> None:
        self.machine.kill_application(self.machine.instance(identity))

    def alter(self, identity: str, path: str) -> None:
        Path(f"{self.machine.instance(identity)}/layer0/upper{path}").write_text("not in the image")


class TestBubblewrap(RuntimeSuite):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[RuntimeBench]:
        machine = ThisMachine(tmp_path, find_bubblewrap, find_caddy)
        yield BubblewrapBench(machine)
        machine.end()
