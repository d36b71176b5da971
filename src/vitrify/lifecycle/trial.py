"""A batch on trial: hosts are converged together, asked for their health, and all of them taken back where one is ill.

Until it is judged, its hosts are one holder's: what is applied, the looks at its health and the way back go by one lease of each.

| killed behind              | the same command again                                             |
|----------------------------|--------------------------------------------------------------------|
| batch.intent, batch.act    | converges what is left of the batch, asks for its health, judges it |
| batch.failed               | takes back what is left to be taken back, and says why              |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import Busy, TargetFailed, VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Stage
from vitrify.core.plan import HostPlan
from vitrify.core.report import Converged
from vitrify.ledger.entry import Entry
from vitrify.lifecycle import mutable, record, undoing
from vitrify.lifecycle.gate import failing
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.tenure import keeping
from vitrify.lifecycle.world import World

INTENDED, PASSED, FAILED, UNDONE = "batch.intended", "batch.passed", "batch.failed", "batch.undone"

Ended = dict[str, Converged | VitrifyError]
"""Host -> how it ended there."""


@dataclass(frozen=True)
class Trial:
    """One batch of one server. `since` is where the ledger begins to tell of it."""

    server: Server
    operation: str
    since: int
    world: World
    parallel: int
    worlds: Mapping[str, World]
    """Host -> the world in which its lease is kept."""

    def body(self, **more: JSON) -> JSONObject:
        """What every entry about it says."""
        return {"operation": self.operation, "server": self.server.name, **more}


def unjudged(server: Server, world: World) -> Entry | None:
    """What the ledger says of a batch that was begun and not judged, or judged ill and not taken back; None where all is settled."""
    newest = record.last(world.ledger, server=server.name, kinds=(INTENDED, PASSED, FAILED, UNDONE))
    return newest if newest is not None and newest.kind in (INTENDED, FAILED) else None


def waiting(server: Server, world: World) -> frozenset[str]:
    """The hosts of a batch that was begun and not judged: an earlier process may have converged them, and ended too soon."""
    left = unjudged(server, world)
    hosts = left.body.get("hosts") if left is not None and left.kind == INTENDED else None
    return frozenset(map(str, hosts)) if isinstance(hosts, list) else frozenset()


async def tried(server: Server, batch: Sequence[HostPlan], world: World, *, parallel: int) -> Ended:
    """Converge these hosts and judge them; a batch that was cut short goes on under its own name."""
    left = unjudged(server, world)
    begun = left if left is not None and left.kind == INTENDED else None
    operation = str(begun.body["operation"]) if begun else world.identify()
    since = begun.sequence if begun else world.ledger.size
    async with _kept(server, [planned.host for planned in batch], world) as worlds:
        return await _judged(Trial(server, operation, since, world, parallel, worlds), batch)


def _kept(server: Server, names: Iterable[str], world: World) -> AbstractAsyncContextManager[Mapping[str, World]]:
    scopes = {name: mutable.scope(server.name, server.host(name), world) for name in names}
    return keeping(scopes, server, world, reason="apply")


async def _judged(trial: Trial, batch: Sequence[HostPlan]) -> Ended:
    world = trial.world
    hosts: list[JSON] = [planned.host for planned in batch]
    record.once(world.ledger, INTENDED, trial.body(hosts=hosts), since=trial.since)
    world.reached("batch.intent")
    ended = await _converged(trial, batch)
    ill = await _ill(trial, ended)
    world.reached("batch.act")
    if not ill:
        # Of a host that did not say how it ended nobody knows whether it is well: the same command asks it, and judges then.
        if not any(isinstance(one, VitrifyError) for one in ended.values()):
            record.once(world.ledger, PASSED, trial.body(hosts=hosts), since=trial.since)
        world.reached("batch.outcome")
        return ended
    runs: dict[str, JSON] = {name: one.run for name, one in ended.items() if isinstance(one, Converged) and one.run}
    reasons: dict[str, JSON] = dict(ill)
    record.once(world.ledger, FAILED, trial.body(runs=runs, ill=reasons), since=trial.since)
    world.reached("batch.outcome")
    return {**ended, **await _taken_back(trial, runs, ill)}


async def finish(server: Server, world: World, *, parallel: int) -> Ended:
    """Take back what is left of a batch that was judged ill before this process began; nothing where there is none."""
    left = unjudged(server, world)
    if left is None or left.kind != FAILED:
        return {}
    runs, ill = left.body.get("runs"), left.body.get("ill")
    known = {host.name for host in server.hosts}
    to_take_back = {name: run for name, run in (runs if isinstance(runs, dict) else {}).items() if name in known}
    async with _kept(server, to_take_back, world) as worlds:
        trial = Trial(server, str(left.body["operation"]), left.sequence, world, parallel, worlds)
        return await _taken_back(trial, to_take_back, {name: str(why) for name, why in (ill if isinstance(ill, dict) else {}).items()})


async def _converged(trial: Trial, batch: Sequence[HostPlan]) -> Ended:
    jobs = [partial(_one, trial, planned) for planned in batch]
    ended = await side_by_side(jobs, at_most=trial.parallel)
    return {planned.host: one for planned, one in zip(batch, ended, strict=True)}


async def _one(trial: Trial, planned: HostPlan) -> Converged:
    host = trial.server.host(planned.host)
    if planned.empty and not planned.bookkeeping and not mutable.unrecorded(trial.server, host, trial.world):
        return Converged(trial.server.name, host.name, _run_since(trial, host), ())
    return await mutable.apply(trial.server, host, planned, trial.worlds[host.name])


def _run_since(trial: Trial, host: Host) -> str:
    newest = record.last(trial.world.ledger, server=trial.server.name, host=host.name, kinds=(mutable.DONE,))
    return str(newest.body["operation"]) if newest is not None and newest.sequence > trial.since else ""


async def _ill(trial: Trial, ended: Ended) -> Mapping[str, str]:
    """Host -> why it is ill, of those that were converged; `Busy` where a host is not ours to judge any more."""
    names = [name for name, one in ended.items() if isinstance(one, Converged) and not one.failed]
    looked = await side_by_side([partial(_health, trial, trial.server.host(name)) for name in names], at_most=trial.parallel)
    lost = next((one for one in looked if isinstance(one, Busy)), None)
    if lost is not None:
        raise lost
    return {name: str(reason) for name, reason in zip(names, looked, strict=True) if str(reason)}


async def _health(trial: Trial, host: Host) -> str:
    health, world = trial.server.health, trial.worlds[host.name]
    if health is None:
        return ""
    await world.tenure.enter()
    arguments: JSONObject = {
        "scope": mutable.scope(trial.server.name, host, world),
        "health": health.to_json(),
        "port": health.port or trial.server.port,
        **world.tenure.presented(),
    }
    async with world.session(host) as session:

        async def look() -> str:
            return str((await session.call("host.healthy", arguments))["reason"])

        reason = await failing(look, health, world.clock)
    trial.world.say("health", host.name, reason or "passes", stage=Stage.FAILED if reason else Stage.DONE)
    return reason


async def _taken_back(trial: Trial, runs: Mapping[str, JSON], ill: Mapping[str, str]) -> Ended:
    """Undo these runs, healthy hosts or not: a batch goes through as a whole or not at all."""
    jobs = [partial(_undone, trial, trial.server.host(name), str(run)) for name, run in runs.items()]
    ended = await side_by_side(jobs, at_most=trial.parallel)
    found: Ended = {}
    for name, one in zip(runs, ended, strict=True):
        why = ill.get(name) or "another host of its batch is not healthy"
        if isinstance(one, Converged):
            found[name] = replace(one, health=why, undone=True)
        else:
            hint = "run the same command again: it takes back what is left" if isinstance(one, Busy) else "`vitrify undo --force`"
            found[name] = TargetFailed(f"{name} is not healthy, and was not taken back", why=str(one), hint=hint)
    trial.world.reached("batch-undo.act")
    if not any(isinstance(one, VitrifyError) for one in found.values()):
        record.once(trial.world.ledger, UNDONE, trial.body(hosts=list(runs)), since=trial.since)
    trial.world.reached("batch-undo.outcome")
    return found


async def _undone(trial: Trial, host: Host, run: str) -> Converged:
    return await undoing.undo(trial.server, host, trial.worlds[host.name], run=run)
