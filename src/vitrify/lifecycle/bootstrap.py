"""Hosts without a Python get one from their own package manager; then the payload must answer.

| ended                        | the same command again                                                  |
|------------------------------|-------------------------------------------------------------------------|
| before the package is there  | installs it under the same operation: a package manager may be run again |
| behind it                    | finds a host that answers, and the ledger hears of it                   |
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import PythonMissing, TargetUnreachable, VitrifyError
from vitrify.core.digest import JSONObject
from vitrify.core.interpreter import spelled
from vitrify.core.report import Bootstrapped
from vitrify.lifecycle import record
from vitrify.lifecycle.mutable import scope
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.world import World
from vitrify.ports import Session

INTENDED, DONE, FAILED = "bootstrap.intended", "bootstrap.done", "bootstrap.failed"
READY, BARE, INSTALLED, ILL, UNREACHABLE = "ready", "bare", "installed", "failed", "unreachable"


async def look(servers: Sequence[Server], world: World, *, parallel: int) -> tuple[Bootstrapped, ...]:
    """Which hosts behind SSH have a Python, and how the others would get one. Changes nothing."""
    places = _places(servers)
    return tuple(await _each([partial(_asked, server, host, world) for server, host in places], places, parallel=parallel))


def _places(servers: Sequence[Server]) -> list[tuple[Server, Host]]:
    """Every host behind SSH once, whatever the number of its servers: this machine and folders run on the Python that runs us."""
    found: dict[str, tuple[Server, Host]] = {}
    for server in servers or ():
        for host in server.hosts:
            if host.is_remote:
                found.setdefault(host.name, (server, host))
    return list(found.values())


Job = Callable[[], Coroutine[object, object, Bootstrapped]]


async def _each(jobs: Sequence[Job], places: Sequence[tuple[Server, Host]], *, parallel: int) -> list[Bootstrapped]:
    ended = await side_by_side(jobs, at_most=parallel)
    rows = []
    for (server, host), one in zip(places, ended, strict=True):
        if isinstance(one, VitrifyError):
            state = UNREACHABLE if isinstance(one, TargetUnreachable) else ILL
            rows.append(Bootstrapped(server.name, host.name, state, problem=str(one)))
        else:
            rows.append(one)
    return rows


async def _asked(server: Server, host: Host, world: World) -> Bootstrapped:
    row = Bootstrapped(server.name, host.name, READY)
    try:
        async with world.session(host) as session:
            return replace(row, python=await _answers(session, server, host, world))
    except PythonMissing as error:
        command = spelled(error.manager)
        return replace(row, state=BARE, command=command) if command else replace(row, state=ILL, problem=str(error))


async def _answers(session: Session, server: Server, host: Host, world: World) -> str:
    """The Python that the payload runs on, as it says itself."""
    answer = await session.call("observe", {"scope": scope(server.name, host, world), "resources": []})
    facts = answer.get("facts")
    return str(facts.get("python", "")) if isinstance(facts, dict) else ""


async def install(found: Sequence[Bootstrapped], servers: Sequence[Server], world: World, *, parallel: int) -> tuple[Bootstrapped, ...]:
    """Bring a Python to those that lack one; the rows of the others as they are. What an earlier process did not tell is told."""
    places = {host.name: (server, host) for server, host in _places(servers)}
    rows = {row.host: row for row in found}
    due = [name for name, row in rows.items() if name in places and (row.state == BARE or _open(row, world) is not None)]
    jobs = [partial(_bring, rows[name], *places[name], world) for name in due]
    ended = await _each(jobs, [places[name] for name in due], parallel=parallel)
    return tuple({**rows, **{row.host: row for row in ended}}.values())


def _open(row: Bootstrapped, world: World) -> tuple[int, str] | None:
    """Where the ledger tells of one that was begun and not ended, and its operation."""
    newest = record.last(world.ledger, server=row.server, host=row.host, kinds=(INTENDED, DONE, FAILED))
    return (newest.sequence, str(newest.body["operation"])) if newest is not None and newest.kind == INTENDED else None


async def _bring(row: Bootstrapped, server: Server, host: Host, world: World) -> Bootstrapped:
    since, operation = _open(row, world) or (world.ledger.size, world.identify())
    body: JSONObject = {"operation": operation, "server": server.name, "host": host.name}
    if row.state != BARE:
        if row.state == READY:
            record.once(world.ledger, DONE, {**body, "python": row.python}, since=since)
        return row
    since = record.once(world.ledger, INTENDED, {**body, "command": row.command}, since=since)
    try:
        with world.naming(server, host.name).working_on(host.name, row.command):
            async with world.bringing(host) as session:
                python = await _answers(session, server, host, world)
    except VitrifyError as error:
        record.once(world.ledger, FAILED, {**body, "why": error.diagnostics[0].summary}, since=since)
        raise
    record.once(world.ledger, DONE, {**body, "python": python}, since=since)
    world.say("bootstrap", host.name, f"Python {python} answers")
    return replace(row, state=INSTALLED, python=python)
