"""The local transport keeps what a transport promises, and leaves no process behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import TargetUnreachable
from vitrify.ports import Transport
from vitrify.testing.transport_suite import TransportSuite, opened, run
from vitrify.transports.local import LocalTransport

pytestmark = pytest.mark.e2e

HERE = Host("local")


def local(home: Path, *pythons: str) -> LocalTransport:
    return LocalTransport(home, environ=os.environ, pythons=pythons or (sys.executable,))


class TestLocalTransport(TransportSuite):
    @pytest.fixture
    def transport(self, tmp_path: Path) -> Transport:
        return local(tmp_path / "home")

    @pytest.fixture
    def host(self) -> Host:
        return HERE


def children() -> set[int]:
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        fields = status.read_text().rpartition(")")[2].split()
        if int(fields[1]) == os.getpid():
            found.add(int(status.parent.name))
    return found


def test_no_process_and_no_zombie_is_left(tmp_path: Path) -> None:
    before = children()

    async def work() -> None:
        async with opened(local(tmp_path), HERE) as session:
            assert children() - before
            with pytest.raises(Exception, match="no call"):
                await session.call("nothing", {})

    run(work())

    assert children() == before


def test_a_payload_that_dies_is_told_with_how_it_ended(tmp_path: Path) -> None:
    before = children()

    async def work() -> None:
        async with opened(local(tmp_path), HERE) as session:
            (payload,) = children() - before
            os.kill(payload, signal.SIGKILL)
            with pytest.raises(TargetUnreachable, match="killed by signal 9"):
                await session.call("observe", {})

    run(work())


def test_a_python_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    broken, absent = tmp_path / "broken", tmp_path / "absent"
    broken.write_text("#!/bin/sh\necho this is no python >&2\nexit 3\n")
    broken.chmod(0o755)

    async def work() -> None:
        async with opened(local(tmp_path, str(absent), str(broken), sys.executable), HERE):
            pass

    run(work())


def test_where_no_python_runs_it_each_reason_is_told(tmp_path: Path) -> None:
    broken, absent = tmp_path / "broken", tmp_path / "absent"
    broken.write_text("#!/bin/sh\necho this is no python >&2\nexit 3\n")
    broken.chmod(0o755)

    with pytest.raises(TargetUnreachable, match=r"No such file or directory.*ended with 3: this is no python") as refused:
        run(local(tmp_path, str(absent), str(broken)).connect(HERE))

    assert "Python 3.9" in refused.value.diagnostics[0].hint


def test_what_does_not_speak_the_protocol_is_refused(tmp_path: Path) -> None:
    chatty = tmp_path / "chatty"
    chatty.write_text("#!/bin/sh\necho 'Welcome to this machine!'\ncat\n")
    chatty.chmod(0o755)

    with pytest.raises(Exception, match="does not speak vitrify's protocol"):
        asyncio.run(local(tmp_path, str(chatty)).connect(HERE))
