"""Bubblewrap keeps the promises of a runtime."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import copying_up
import pytest

from vitrify.core.declaration import Limits
from vitrify.core.instance import InstanceSpec
from vitrify.ports import Runtime
from vitrify.project.binaries import find_bubblewrap, find_caddy
from vitrify.runtimes.bubblewrap import bubblewrap
from vitrify.runtimes.on_host import OnHostRuntime
from vitrify.stores.carrying import NearbyCarrier
from vitrify.testing.runtime_suite import SEARCH, Died, RuntimeBench, RuntimeSuite
from vitrify.testing.this_machine import ThisMachine
from vitrify.testing.tiny_image import Layout

pytestmark = pytest.mark.e2e

LIMITED = ("memory.max", "memory.limit_in_bytes", "cpu.max", "cpu.cfs_quota_us", "pids.max")
"""The files of either version that say what a group is held to."""


def dies(point: str) -> None:
    """Whoever is about to start an instance."""
    if point == "instance-start.intent":
        raise Died("killed")


@dataclass(frozen=True)
class BubblewrapBench:
    """Real instances on this machine."""

    machine: ThisMachine

    @property
    def runtime(self) -> OnHostRuntime:
        carrier = NearbyCarrier(Layout(str(self.machine.folder / "store")))
        return OnHostRuntime(self.machine.session, home=self.machine.home, images=carrier, means={"bubblewrap": bubblewrap()})

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

    def searcher(self, identity: str) -> InstanceSpec:
        return replace(self.spec(identity), argv=("/usr/bin/python3", "-I", "-c", SEARCH), port=None)

    def dying(self) -> Runtime:
        return replace(self.runtime, session=replace(self.machine.session, reached=dies))

    def within(self, entrance: tuple[str, ...]) -> str:
        return subprocess.run(entrance, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout

    def holds(self, limits: Limits) -> bool:
        """Where this machine lets anybody limit anything."""
        folder = self.machine.instance("web-1")
        if not folder.exists():
            return os.geteuid() == 0 and any(os.access(f"/sys/fs/cgroup/{name}", os.W_OK) for name in ("pids", "cgroup.subtree_control"))
        application = self.machine.state(folder).application
        assert application
        inside = Path(f"/proc/{application.pid}/cgroup").read_text()
        groups = [Path(group).parent for group in json.loads((folder / "spec.json").read_text())["keep"]["groups"]]
        told = {file.name: file.read_text().split()[0] for group in groups for file in group.iterdir() if file.name in LIMITED}
        quota = str((limits.cpu or 0) * 100)
        assert inside.count("/vitrify/web-1\n") == len(groups)
        assert sorted(told.values()) == sorted([str(limits.memory), quota, str(limits.pids)])
        return True

    def alter(self, identity: str, path: str) -> None:
        Path(f"{self.machine.instance(identity)}/layer0/upper{path}").write_text("not in the image")

    def copy_up(self, identity: str, path: str) -> None:
        layers = json.loads((self.machine.instance(identity) / "spec.json").read_text())["layers"]
        layer = next(layer for layer in layers if path.startswith(f"{layer['at'].rstrip('/')}/"))
        copying_up.copy_up(Path(layer["upper"]), layer["lowers"], path.removeprefix(layer["at"].rstrip("/")))


class TestBubblewrap(RuntimeSuite):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[RuntimeBench]:
        machine = ThisMachine(tmp_path, find_bubblewrap, find_caddy)
        yield BubblewrapBench(machine)
        machine.end()
