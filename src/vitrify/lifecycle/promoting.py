"""A rollout that waits: somebody lets it go on, or has it taken back, on every host that it came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from vitrify.core.batch import Pace
from vitrify.core.diagnostic import Denied, UsageInvalid
from vitrify.core.event import Stage
from vitrify.core.phase import TRAFFIC, Phase, Standing
from vitrify.core.report import Applied
from vitrify.lifecycle import record, waves
from vitrify.lifecycle.immutable import go_on, reopened
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.many_hosts import again, held, left_alone
from vitrify.lifecycle.operation import SPOKEN, Progress
from vitrify.lifecycle.retire import RETIRE
from vitrify.lifecycle.settings import SecretValue, from_json
from vitrify.lifecycle.strategy.forward import let_go_on
from vitrify.lifecycle.traffic import waits
from vitrify.lifecycle.verdict import FAILED, INTENDED, PASSED, promoted, unended, verdict, waits_on
from vitrify.lifecycle.waves import Asked, Move
from vitrify.lifecycle.world import Site, World
from vitrify.ports import Operation, Release


def begun(server: str, world: World) -> tuple[tuple[Operation, ...], Release]:
    """The rollout of this server that has not ended, by host, and its release; `UsageInvalid` where there is none."""
    found = [operation for operation in world.state.open_operations(server) if operation.kind != RETIRE]
    newest = max((operation.release for operation in found), default=0)
    release = world.state.release(server, newest) if newest else None
    if release is None:
        raise UsageInvalid(f"no rollout of {server} is under way", hint="`vitrify status` shows how servers stand")
    return tuple(found), release


def promotion(server: str, world: World) -> str:
    """What a promotion would let go on, in words; `UsageInvalid` where nothing waits."""
    operations, release = _promotable(server, world)
    where = f" on {', '.join(one.host.name for one in operations)}" if operations[1:] else ""
    if verdict(operations[0], world) == FAILED:
        return f"release {release.number} of {server} failed on another host or was aborted, and is taken back{where}"
    told = next(filter(None, (waits(one, from_json(release.settings)) for one in operations)), "").partition(":")[0]
    if operations[1:] and _front(operations, world) is None and any(_goes_on(one, world) for one in operations):
        return f"release {release.number} of {server} is not equally far on all hosts, and comes to the same place{where}"
    if told:
        return f"release {release.number} of {server} waits{where} {told}"
    if any(Standing.of(one.step).is_at(Phase.CANARY) for one in operations):
        return f"release {release.number} of {server} is a canary that was left alone{where}"
    if any(_goes_on(one, world) for one in operations):
        return f"release {release.number} of {server} was promoted, and interrupted then{where}"
    raise _for_nobody(operations, release)


def _promotable(server: str, world: World) -> tuple[tuple[Operation, ...], Release]:
    """The open rollout, but for hosts on which it is to be taken back, unless that is all that is left to do; `UsageInvalid` where they
    are of several releases, or nothing is left of it but hosts that were away.
    """  # noqa: D205  one thought
    operations, release = begun(server, world)
    found = tuple(one for one in operations if verdict(one, world) != FAILED)
    if len({one.release for one in found}) > 1:
        raise UsageInvalid(
            f"the hosts of {server} are on their way to different releases",
            why="; ".join(f"release {one.release} on {one.host.name}" for one in found),
            hint=f"`vitrify apply` brings all of them to what is declared, `vitrify abort {server}` takes all of it back",
        )
    left = unended(server, world)
    if not found and (left is None or left.kind != FAILED):
        raise _for_nobody(operations, release)
    return _as_begun(server, found or operations, world), release


def _as_begun(server: str, operations: Sequence[Operation], world: World) -> tuple[Operation, ...]:
    """In the order in which its hosts were declared: the first is still the one that is risked first."""
    began = record.last(world.ledger, server=server, kinds=(INTENDED,))
    told = began.body.get("hosts") if began else None
    hosts = [str(host) for host in told] if isinstance(told, list) else []
    return tuple(sorted(operations, key=lambda one: hosts.index(one.host.name) if one.host.name in hosts else len(hosts)))


def _for_nobody(operations: Sequence[Operation], release: Release) -> UsageInvalid:
    return UsageInvalid(
        f"the {SPOKEN[operations[0].kind]} of {release.server} release {release.number} waits for nobody",
        why=f"it came as far as {operations[0].step}",
        hint="`vitrify apply` goes on with it, `vitrify abort` takes it back",
    )


def _goes_on(operation: Operation, world: World) -> bool:
    """Whether it waits, or was let go on before and not taken back since."""
    standing = Standing.of(operation.step)
    asked = Progress.of(operation).promoted or promoted(operation, world) is not None
    return standing.is_at(Phase.WAITING, Phase.CANARY) or bool(waits_on(operation, world)) or (asked and not standing.taken_back)


def _front(operations: Sequence[Operation], world: World) -> Asked | None:
    """What a promotion would be of: the place where it waits on every host that has not done its part. None where that is not one place,
    or it was let go on from there: then what was begun is ended first.
    """  # noqa: D205  one thought
    behind = [one for one in operations if Standing.of(one.step).phase not in TRAFFIC]
    stages = {Progress.of(one).stage for one in behind if Standing.of(one.step).is_at(Phase.WAITING, Phase.CANARY)}
    stand = all(Standing.of(one.step).is_at(Phase.WAITING, Phase.CANARY) for one in behind)
    if len(stages) != 1 or not stand or any(promoted(one, world) is not None for one in behind):
        return None
    return Asked(operations[0].release, stages.pop())


async def promote(server: str, world: World, *, secret: SecretValue, everything: bool = False, parallel: int = 10) -> Applied:
    """Let it go on to where it waits next, or to its end; with `everything`, to its end without any further step.

    On several hosts it goes on on all of them, or nowhere: where more of them than may fail cannot be reached, all wait on.
    """
    promotion(server, world)
    operations, _ = _promotable(server, world)
    if not operations[1:] and unended(server, world) is None:
        return await _promote_one(server, operations[0], world, secret=secret, everything=everything)
    move = _move(server, operations, world, secret=secret, parallel=parallel)
    async with AsyncExitStack() as stack:
        sites, applied = await held(stack, move, [one.host for one in operations], reason="promote")
        promotion(server, world)  # whoever had the leases before may have ended it
        left = unended(server, world)
        if left and left.kind != INTENDED:
            return applied.joined(await waves.finish(move, sites))
        if move.enough(0, of=len(operations)):
            return applied.joined(await _given_up(move, operations, sites, applied))
        move = replace(move, missing=move.missing + len(applied.problems))
        if applied.stopped or move.enough(0, of=len(sites)):
            return left_alone(server, sites, applied)
        now = [one for one in _promotable(server, world)[0] if one.host.name in sites]
        stops = {one.host.name: partial(again, sites[one.host.name], world.named(server, one.host.name), move) for one in now}
        asked = _front(now, world)
        if everything:
            asked = Asked(now[0].release, min(Progress.of(one).stage for one in now), everything=True)
        return applied.joined(await waves.carry_out(move, stops, asked=asked))


async def _promote_one(server: str, operation: Operation, world: World, *, secret: SecretValue, everything: bool) -> Applied:
    async with holding(server, operation.host, world, reason="promote") as site:
        promotion(server, world)
        rollout = reopened(begun(server, world)[0][0], site, world, secret=secret)
        if verdict(rollout.operation, world) == PASSED:  # the others have it: nobody has to be asked on this host any more
            return Applied(releases=(await waves.to_its_end(rollout),))
        if rollout.standing.is_at(Phase.WAITING, Phase.CANARY):
            await let_go_on(rollout, everything=everything)
        return Applied(releases=(await go_on(rollout),))


def _move(server: str, operations: Sequence[Operation], world: World, *, secret: SecretValue, parallel: int) -> Move:
    """The rollout as it was begun: with its aim and pace, and what failed of it before it came to wait."""
    left, release = unended(server, world), world.state.release(server, operations[0].release)
    if left is None:
        return Move(server, str(release.settings.get("declared", "")) if release else "", world, secret, parallel=parallel)
    began = record.last(world.ledger, server=server, kinds=(INTENDED,)) or left
    told, missing = began.body.get("hosts"), began.body.get("missing")
    hosts, unseen = (list(map(str, told)) if isinstance(told, list) else []), (missing if isinstance(missing, int) else 0)
    there = [world.state.release(server, operations[0].release, host=host) for host in hosts]
    failed = sum(one is not None and one.state == "aborted" for one in there)
    missing = min(unseen + failed, max(0, len(hosts) + unseen - len(operations)))  # who was not seen then may have come since
    return Move(server, str(left.body.get("aim", "")), world, secret, Pace.from_json({**began.body}), parallel, missing)


async def _given_up(move: Move, operations: Sequence[Operation], sites: Mapping[str, Site], applied: Applied) -> Applied:
    """More failed than may before anybody could judge that: the others go back."""
    now = [one for one in operations if one.host.name in sites]
    rollouts = {one.host.name: reopened(one, sites[one.host.name], move.world, secret=move.secret) for one in now}
    away = tuple(one.host for one in applied.problems)
    back = await waves.call_off(move, rollouts, reason="it failed on another host", away=away)
    if applied.problems or back.problems:
        return replace(back, stopped=True)
    raise waves.still_serving(move, "it failed on another host, and was interrupted then", hosts=tuple(sites))


def abortion(server: str, world: World) -> tuple[int, int | None]:
    """Which release would be taken back, and which serves on; `Denied` where there is no way back."""
    operations, release = begun(server, world)
    _refuse_settled(operations, world)
    live = [found for one in operations if isinstance(found := one.data.get("live"), int)]
    return release.number, max(live, default=None)


async def abandon(server: str, world: World, *, secret: SecretValue, parallel: int = 10) -> Applied:
    """Take an open rollout back, on every host that it came to: all of them, or none where there is no way back on one.

    A host that cannot be reached holds nobody up: it is told, and taken back by whoever comes to it next.
    """
    operations, release = begun(server, world)
    move = Move(server, "", world, secret, parallel=parallel)
    async with AsyncExitStack() as stack:
        sites, applied = await held(stack, move, [one.host for one in operations], reason="abort")
        found = [world.state.open_operation(server, host) for host in sites]
        now = [one for one in found if one is not None and one.kind != RETIRE]
        _refuse_settled(now, world)
        if not now:
            return applied
        rollouts = {}
        for one in now:
            there = world.named(server, one.host.name) if operations[1:] else world
            rollouts[one.host.name] = reopened(one, sites[one.host.name], there, secret=secret)
        away = tuple(one.host for one in applied.problems)
        applied = applied.joined(await waves.call_off(move, rollouts, reason=f"aborted by {world.author}", away=away))
    world.say("abort", server, f"release {release.number} is taken back", stage=Stage.DONE)
    return applied


def _refuse_settled(operations: Sequence[Operation], world: World) -> None:
    for operation in operations:
        if Standing.of(operation.step).settled or verdict(operation, world) == PASSED:
            raise Denied(
                f"the {SPOKEN[operation.kind]} of {operation.server} release {operation.release} cannot be taken back any more",
                why="it has all requests and was proved; what served before is leaving",
                hint=f"`vitrify apply` ends it; `vitrify rollback {operation.server}` goes back",
            )
