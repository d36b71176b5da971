"""SSH keeps what a transport promises, on a real machine behind a real sshd, as somebody who has to become root there."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.amount import amount

from fleet import Fleet, Reached, lacking_ssh
from live_host import lacking
from vitrify.core.declaration import Host
from vitrify.core.diagnostic import TargetUnreachable
from vitrify.core.digest import JSONObject
from vitrify.ports import Transport
from vitrify.testing.transport_suite import TransportSuite, opened, run
from vitrify.transports.ssh import Client, SiteTransport, SshTransport

pytestmark = [pytest.mark.e2e, pytest.mark.root]

PLACE = "/srv/target"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    if reason := lacking() or lacking_ssh():
        pytest.skip(reason)
    fleet = Fleet.begin(tmp_path_factory.mktemp("ssh") / "fleet")
    yield fleet
    fleet.close()


@pytest.fixture(scope="module")
def machine(fleet: Fleet) -> Reached:
    return fleet.boot()


@pytest.fixture(scope="module")
def client(fleet: Fleet) -> Client:
    return Client(fleet.runtime / "vitrify", str(fleet.config))


@pytest.fixture
def transport(client: Client) -> Transport:
    """The one with all of our programs: what is promised is shown by a call that only a host of instances has."""
    return SiteTransport(client, environ=os.environ)


@pytest.fixture
def host(machine: Reached) -> Host:
    return machine.host("admin")


class TestSshTransport(TransportSuite):
    @pytest.fixture
    def folder(self, machine: Reached) -> Path:
        machine.machine.run("rm", "-rf", PLACE)
        machine.machine.run("mkdir", "-p", f"{PLACE}/etc")
        return machine.machine.path(PLACE)

    def scope(self, folder: Path) -> JSONObject:
        inside = f"{PLACE}/missing" if folder.name == "missing" else PLACE
        return {**super().scope(folder), "root": inside}


def test_a_host_that_accepts_and_says_nothing_is_given_up(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        host = Host(f"ssh://127.0.0.1:{port}", address="127.0.0.1", port=port)

        with pytest.raises(TargetUnreachable, match=r"does not answer .nothing came within 1 s"):
            run(SshTransport(client, environ=os.environ, patience=1).connect(host))


def test_where_there_is_no_ssh_it_is_said(client: Client, host: Host) -> None:
    with pytest.raises(TargetUnreachable, match="install the OpenSSH client"):
        run(SshTransport(replace(client, program="there is no ssh"), environ=os.environ).connect(host))


def test_sessions_opened_at_once_share_one_connection(transport: Transport, host: Host, machine: Reached) -> None:
    async def work() -> None:
        async with opened(transport, host):
            pass
        before = logins(machine)
        async with opened(transport, host), opened(transport, host):
            assert logins(machine) == before

    run(work())


def logins(machine: Reached) -> int:
    journal = machine.machine.run("journalctl", "--unit=ssh", "--output=cat").stdout
    return journal.count("Accepted publickey for admin")


def test_a_session_that_is_given_up_leaves_no_payload_behind(transport: Transport, host: Host, machine: Reached) -> None:
    async def work() -> None:
        for _ in range(amount("given_up", daily=3)):
            connecting = asyncio.ensure_future(transport.connect(host))
            await asyncio.sleep(0.05)
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
        async with opened(transport, host):
            pass
        await asyncio.sleep(0.5)

    run(work())

    assert machine.processes("python3") == []
