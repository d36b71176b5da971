"""Hosts without a Python: which they are, what brings them one, and what the ledger is told, however often it is cut short."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from bench import Bench, Killed, do

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import Location, PythonMissing, TargetFailed, TargetUnreachable
from vitrify.core.digest import JSONObject
from vitrify.core.report import Bootstrapped
from vitrify.lifecycle import bootstrap
from vitrify.lifecycle.world import World
from vitrify.ports import Session
from vitrify.testing.direct_session import DirectSession

HOST = Host("ssh://root@db1", address="db1", user="root")
OTHER = Host("ssh://root@db2", address="db2", user="root")


def server(*hosts: Host, lifecycle: Lifecycle = Lifecycle.MUTABLE, name: str = "db") -> Server:
    return Server(name=name, lifecycle=lifecycle, hosts=hosts, resources=(), where=Location("vitrify.yaml", 1, 1))


@dataclass
class Machines:
    """Hosts, by name: the Python that each has, "" for none."""

    python: dict[str, str]
    manager: str = "apk"
    fails: str = ""
    bench: Bench = field(default_factory=Bench)
    installed: list[str] = field(default_factory=list)

    @property
    def world(self) -> World:
        return replace(self.bench.world, session=self._session, bringing=self._bringing)

    @asynccontextmanager
    async def _session(self, host: Host) -> AsyncIterator[Session]:
        if host.name not in self.python:
            raise TargetUnreachable(f"{host.name} does not answer")
        if not self.python[host.name]:
            raise PythonMissing(f"{host.name} has no Python that runs the payload", manager=self.manager)
        answer: JSONObject = {"facts": {"python": self.python[host.name]}}
        yield DirectSession({"observe": lambda _context, _arguments: answer}, self.bench.clock.now, self.bench.world.kinds)

    @asynccontextmanager
    async def _bringing(self, host: Host) -> AsyncIterator[Session]:
        if self.fails:
            raise TargetFailed(self.fails)
        self.installed.append(host.name)
        self.python[host.name] = "3.12.1"
        async with self._session(host) as session:
            yield session

    def look(self, *servers: Server) -> tuple[Bootstrapped, ...]:
        return do(bootstrap.look(servers, self.world, parallel=4))

    def run(self, *servers: Server) -> tuple[Bootstrapped, ...]:
        return do(bootstrap.install(self.look(*servers), servers, self.world, parallel=1))


def test_a_look_tells_of_every_host_behind_ssh_once_and_installs_nothing() -> None:
    machines = Machines({HOST.name: "3.11.2", OTHER.name: ""})
    gone = Host("ssh://root@db3", address="db3", user="root")

    found = machines.look(server(HOST, OTHER, Host("local")), server(OTHER, gone, lifecycle=Lifecycle.IMMUTABLE, name="web"))

    assert [(row.host, row.state, row.python, row.command) for row in found] == [
        (HOST.name, "ready", "3.11.2", ""),
        (OTHER.name, "bare", "", "apk add python3"),
        (gone.name, "unreachable", "", ""),
    ]
    assert (machines.installed, machines.bench.told()) == ([], [])


def test_only_hosts_that_lack_a_python_get_one_and_the_ledger_hears_what_was_run() -> None:
    machines = Machines({HOST.name: "3.11.2", OTHER.name: ""})

    ended = machines.run(server(HOST, OTHER))

    assert [(row.state, row.python) for row in ended] == [("ready", "3.11.2"), ("installed", "3.12.1")]
    assert machines.installed == [OTHER.name]
    assert machines.bench.told() == ["bootstrap.intended", "bootstrap.done"]
    assert machines.bench.bodies("bootstrap.intended")[0]["command"] == "apk add python3"
    assert machines.bench.bodies("bootstrap.done")[0]["python"] == "3.12.1"


def test_a_package_manager_that_fails_is_told_and_may_be_tried_again() -> None:
    machines = Machines({HOST.name: ""}, fails="apk could not install Python")

    (failed,) = machines.run(server(HOST))
    machines.fails = ""
    (ended,) = machines.run(server(HOST))

    assert (failed.state, failed.problem) == ("failed", "apk could not install Python")
    assert ended.state == "installed"
    assert machines.bench.told() == ["bootstrap.intended", "bootstrap.failed", "bootstrap.intended", "bootstrap.done"]


def test_a_host_whose_package_manager_nobody_knows_is_left_alone() -> None:
    machines = Machines({HOST.name: ""}, manager="")

    (row,) = machines.run(server(HOST))

    assert (row.state, machines.installed, machines.bench.told()) == ("failed", [], [])


@pytest.mark.parametrize("number", [1, 2])
def test_killed_anywhere_the_same_command_ends_it_and_tells_it_once(number: int) -> None:
    machines = Machines({HOST.name: ""})
    machines.bench.die_behind = number
    with pytest.raises(BaseExceptionGroup) as killed:
        machines.run(server(HOST))
    assert killed.group_contains(Killed)

    (row,) = machines.run(server(HOST))

    assert row.python == "3.12.1"
    assert machines.bench.told() == ["bootstrap.intended", "bootstrap.done"]
    assert len({str(body["operation"]) for kind in machines.bench.told() for body in machines.bench.bodies(kind)}) == 1
