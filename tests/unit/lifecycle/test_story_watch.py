"""A watch tells what an audit would, at once and with a name: each difference once, and nothing of what vitrify itself does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench import Bench, Killed, a_server, do, in_place
from watching import watching

from vitrify.core.declaration import Server
from vitrify.core.diagnostic import TargetUnreachable, UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.drift import Class
from vitrify.core.event import Event, Stage
from vitrify.core.resource import Address, Resource
from vitrify.core.watched import Seen
from vitrify.lifecycle import mutable
from vitrify.lifecycle.audit import audit
from vitrify.lifecycle.watch import watch
from vitrify.onhost.watching import AUDIT, GAP
from vitrify.testing.engine import quick_folder


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def root() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def server(root: Path, bench: Bench) -> Server:
    plain = in_place(root, ("/etc/motd", "hello\n"))
    found = replace(plain, resources=(Resource(Address("directory", "/srv"), {"path": "/srv"}), *plain.resources))
    (root / "etc").mkdir()
    do(mutable.apply(found, found.hosts[0], do(mutable.plan(found, found.hosts[0], bench.world)), bench.world))
    return found


def test_a_touch_is_looked_at_and_the_finding_says_who(server: Server, root: Path, bench: Bench) -> None:
    async def story() -> list[Seen]:
        async with watching(server, bench) as now:
            await asyncio.sleep(0.2)
            (root / "srv" / "intruder").write_text("x")
            now.listener.touched("/srv/intruder")
            return await now.findings(1)

    ((seen),) = do(story())

    finding = seen.finding
    assert (finding.path, finding.classed, finding.evidence, seen.before) == ("/srv/intruder", Class.UNAUTHORISED, AUDIT, False)
    assert finding.actor is not None
    assert (finding.actor.exe, finding.actor.uid, finding.actor.login) == ("/usr/bin/dash", 0, 1000)


def test_what_was_there_before_is_told_as_that_and_names_nobody(server: Server, root: Path, bench: Bench) -> None:
    (root / "srv" / "old").write_text("x")

    async def story() -> list[Seen]:
        async with watching(server, bench) as now:
            return await now.findings(1)

    ((seen),) = do(story())

    assert (seen.before, seen.finding.evidence, seen.finding.actor) == (True, "sweep", None)


def test_the_ledger_holds_a_finding_once_with_who_and_without_the_command(server: Server, root: Path, bench: Bench) -> None:
    async def story() -> None:
        async with watching(server, bench) as now:
            await asyncio.sleep(0.2)
            (root / "srv" / "intruder").write_text("x")
            now.listener.touched("/srv/intruder")
            await now.findings(1)

    do(story())
    do(audit([server], bench.world, full=False))

    (entry,) = bench.bodies("finding")
    assert entry["actor"] == {"pid": 91, "exe": "/usr/bin/dash", "uid": 0, "login": 1000, "at": 5}
    assert "secret" not in str(entry)


def test_a_difference_is_told_once_while_it_is_there(server: Server, root: Path, bench: Bench) -> None:
    async def story() -> list[str]:
        async with watching(server, bench) as now:
            (root / "srv" / "one").write_text("x")
            now.listener.touched("/srv/one")
            await now.findings(1)
            (root / "srv" / "two").write_text("x")
            now.listener.touched("/srv/one", "/srv/two")
            return [seen.finding.path for seen in await now.findings(2)]

    assert do(story()) == ["/srv/one", "/srv/two"]


def test_an_apply_while_the_watch_is_on_is_no_finding(server: Server, root: Path, bench: Bench) -> None:
    async def story() -> list[str]:
        async with watching(server, bench) as now:
            await asyncio.sleep(0.2)
            plain = in_place(root, ("/etc/motd", "hello\n"), ("/srv/wished", "x"))
            wished = replace(plain, resources=(server.resources[0], *plain.resources))
            host = server.hosts[0]
            await mutable.apply(wished, host, await mutable.plan(wished, host, bench.world), bench.world)
            now.listener.touched("/srv/wished")
            await asyncio.sleep(0.3)
            (root / "srv" / "intruder").write_text("x")
            now.listener.touched("/srv/intruder")
            return [seen.finding.path for seen in await now.findings(1)]

    assert do(story()) == ["/srv/intruder"]


def test_a_gap_is_told_and_looked_at(server: Server, root: Path, bench: Bench) -> None:
    async def story() -> list[Seen]:
        async with watching(server, bench) as now:
            await asyncio.sleep(0.2)
            (root / "srv" / "unheard").write_text("x")
            now.listener.emits[0](Event(GAP, Stage.NOTICE, "", "records were lost"))
            return await now.findings(1)

    ((seen),) = do(story())

    assert (seen.finding.path, seen.finding.actor, seen.finding.evidence) == ("/srv/unheard", None, "sweep")
    assert any("a gap" in event.detail for event in bench.events)


def test_it_listens_to_folders_and_to_files_outside_of_them(server: Server, bench: Bench) -> None:
    async def story() -> JSONObject:
        async with watching(server, bench) as now:
            return now.listener.asked[0]

    asked = do(story())

    assert (asked["folders"], asked["files"]) == (["/srv"], ["/etc/motd"])


def test_its_listener_is_closed_and_not_cut_off_when_it_ends(server: Server, bench: Bench) -> None:
    async def story() -> int:
        async with watching(server, bench) as now:
            pass
        return now.listener.closed

    assert do(story()) == 1


def test_a_server_of_instances_alone_is_refused_with_what_to_do(bench: Bench) -> None:
    with pytest.raises(UsageInvalid, match="nothing to watch"):
        do(watch([a_server()], bench.world, tell=lambda _: None))


def test_what_is_written_into_an_instance_is_told_with_the_instance_it_came_through(bench: Bench) -> None:
    server = a_server()
    bench.apply(server)
    (instance,) = bench.running()

    async def story() -> list[Seen]:
        async with watching(server, bench) as now:
            await asyncio.sleep(0.2)
            bench.runtime.alter(instance, "/srv/backdoor")
            now.listener.touched("/srv/backdoor", where=instance)
            return await now.findings(1)

    ((seen),) = do(story())

    finding = seen.finding
    assert (finding.where, finding.path, finding.evidence, seen.before) == (instance, "/srv/backdoor", AUDIT, False)
    assert finding.actor is not None
    assert (finding.actor.pid, finding.actor.inside) == (91, instance)
    assert f"inside of {instance}" in finding.who
    assert isinstance(bench.bodies("finding")[0]["actor"], dict)


def test_a_path_of_an_instance_is_not_the_same_path_of_another_one(bench: Bench) -> None:
    server = a_server(replicas=2)
    bench.apply(server)
    first, second = bench.running()

    async def story() -> list[Seen]:
        async with watching(server, bench) as now:
            await asyncio.sleep(0.2)
            bench.runtime.alter(first, "/srv/backdoor")
            now.listener.touched("/srv/backdoor", where=second)
            return await now.findings(1)

    ((seen),) = do(story())

    assert (seen.finding.where, seen.finding.actor) == (first, None)


def test_a_host_that_is_lost_is_told_and_ends_the_watch_with_its_error(server: Server, bench: Bench) -> None:
    async def story() -> None:
        async with watching(server, bench) as now:
            now.listener.ended.set()
            await now.task

    with pytest.raises(TargetUnreachable, match="went away"):
        do(story())

    assert any("is watched no more" in event.detail for event in bench.events)


@pytest.mark.parametrize("point", ["before the entry", "behind the entry"])
def test_a_watcher_that_is_killed_anywhere_loses_nothing_in_silence(server: Server, root: Path, bench: Bench, point: str) -> None:
    async def killed() -> list[Seen]:
        async with watching(server, bench) as now:
            await asyncio.sleep(0.2)
            (root / "srv" / "intruder").write_text("x")
            if point == "before the entry":
                return []  # the process ends before it hears of it
            bench.die_behind = len(bench.changes) + 1
            now.listener.touched("/srv/intruder")
            await asyncio.wait({now.task}, timeout=10)
            assert now.task.done()
            return now.told

    async def next_one() -> list[Seen]:
        async with watching(server, bench) as now:
            return await now.findings(1)

    try:
        told = do(killed())
    except Killed:
        told = []
    bench.die_behind = 0

    ((seen),) = do(next_one())

    assert told == []
    assert (seen.finding.path, seen.before) == ("/srv/intruder", True)
    assert [body["path"] for body in bench.bodies("finding")] == ["/srv/intruder"]
