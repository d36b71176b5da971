"""The duties that listen and that answer: what `serve` does with them, turn by turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from bench import Bench, a_server, do, in_place
from looking import converge, folder_of
from watching import listened

from vitrify.core.declaration import Server
from vitrify.core.response import Do, Response
from vitrify.core.schedule import Schedule
from vitrify.core.served import DONE
from vitrify.lifecycle.duties import audit, respond, watch
from vitrify.lifecycle.duty import Charge
from vitrify.lifecycle.serve import once
from vitrify.lifecycle.serve_board import Board
from vitrify.testing.engine import quick_folder


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def server(bench: Bench) -> Iterator[Server]:
    with quick_folder() as root:
        (root / "etc").mkdir()
        found = replace(folder_of(in_place(root, ("/etc/motd", "hello\n")), "/srv"), responses=(Response(Do.QUARANTINE),))
        converge(bench, found)
        yield found


def charge(bench: Bench, *servers: Server) -> Charge:
    return Charge(servers, Schedule(), bench.world, Board(bench.clock.now()))


def test_what_an_audit_found_is_answered_in_the_same_round(bench: Bench, server: Server) -> None:
    folder = Path(server.hosts[0].folder or "")
    (folder / "srv/intruder").write_text("x")

    turns = do(once((audit.Audits(), respond.Respond()), charge(bench, server), parallel=1)).turns

    assert [(one.duty, one.outcome) for one in turns] == [("audit", DONE), ("respond", DONE)]
    assert turns[1].told.startswith("quarantine, 1 findings: /srv/intruder as ")
    assert not (folder / "srv/intruder").exists()


def test_a_server_without_rules_has_no_such_duty(bench: Bench) -> None:
    bench.apply(a_server())

    assert list(respond.Respond().jobs(charge(bench, a_server()))) == []


def test_a_watch_goes_on_beside_all_else_and_only_where_somebody_wants_it(bench: Bench, server: Server) -> None:
    (unwanted,) = watch.Watching().jobs(charge(bench, server))
    (wanted,) = watch.Watching().jobs(charge(bench, replace(server, schedule=Schedule(watch=5.0))))

    assert (unwanted.every, wanted.every) == (inf, 5.0)
    assert wanted.apart
    assert wanted.line != wanted.place


def test_a_watch_ends_once_its_server_is_declared_otherwise(bench: Bench, server: Server) -> None:
    duty = watch.Watching()

    async def story() -> str:
        begun = asyncio.Event()
        (job,) = duty.jobs(replace(charge(bench, server), world=listened(bench, begun, [])))
        listening = asyncio.ensure_future(job.act())
        await asyncio.wait_for(begun.wait(), 10)
        assert not listening.done()
        list(duty.jobs(charge(bench, replace(server, replicas=2))))
        return await asyncio.wait_for(listening, 10)

    assert do(story()) == ""
