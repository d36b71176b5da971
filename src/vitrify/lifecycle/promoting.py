"""A rollout that waits: somebody lets it go on, or has it taken back."""

from __future__ import annotations

from dataclasses import replace

from vitrify.core.diagnostic import Denied, UsageInvalid
from vitrify.core.event import Stage
from vitrify.core.phase import Phase, Standing
from vitrify.core.report import Released
from vitrify.lifecycle.immutable import go_on, reopened
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.operation import SPOKEN, Progress, Rollout
from vitrify.lifecycle.retire import RETIRE
from vitrify.lifecycle.rollout import take_back
from vitrify.lifecycle.settings import SecretValue, from_json
from vitrify.lifecycle.traffic import waits
from vitrify.lifecycle.world import World
from vitrify.ports import Operation, Release


def begun(server: str, world: World) -> tuple[Operation, Release]:
    """The rollout of this server that has not ended, and its release; `UsageInvalid` where there is none."""
    for operation in world.state.open_operations(server):
        release = world.state.release(server, operation.release)
        if release is not None and operation.kind != RETIRE:
            return operation, release
    raise UsageInvalid(f"no rollout of {server} is under way", hint="`vitrify status` shows how servers stand")


def promotion(server: str, world: World) -> str:
    """What a promotion would let go on, in words; `UsageInvalid` where nothing waits."""
    operation, release = begun(server, world)
    told = waits(operation, from_json(release.settings)).partition(":")[0]
    if told:
        return f"release {release.number} of {server} waits {told}"
    if Standing.of(operation.step).is_at(Phase.CANARY):
        return f"release {release.number} of {server} is a canary that was left alone"
    if Progress.of(operation).promoted and not Standing.of(operation.step).taken_back:
        return f"release {release.number} of {server} was promoted, and interrupted then"
    raise UsageInvalid(
        f"the {SPOKEN[operation.kind]} of {server} release {release.number} waits for nobody",
        why=f"it came as far as {operation.step}",
        hint="`vitrify apply` goes on with it, `vitrify abort` takes it back",
    )


async def promote(server: str, world: World, *, secret: SecretValue, everything: bool = False) -> Released:
    """Let it go on to where it waits next, or to its end; with `everything`, to its end without any further step."""
    async with holding(server, begun(server, world)[0].host, world, reason="promote") as site:
        promotion(server, world)
        rollout = reopened(begun(server, world)[0], site, world, secret=secret)
        if rollout.standing.is_at(Phase.WAITING, Phase.CANARY):
            await _note(rollout, everything=everything)
        return await go_on(rollout)


async def _note(rollout: Rollout, *, everything: bool) -> None:
    """Durable from here on: whoever goes on with it need not ask again."""
    progress, steps = replace(rollout.progress, promoted=True), len(rollout.settings.rollout.manner.steps)
    rollout.note(f"promote.{progress.stage + 1}", everything=everything)
    async with rollout.step("promote", progress=replace(progress, stage=steps) if everything else progress):
        pass
    rollout.world.say("promote", rollout.server, f"release {rollout.release.number} goes on", stage=Stage.DONE)


def abortion(server: str, world: World) -> tuple[int, int | None]:
    """Which release would be taken back, and which serves on; `Denied` where there is no way back."""
    operation, release = begun(server, world)
    _refuse_settled(operation)
    live = operation.data.get("live")
    return release.number, live if isinstance(live, int) else None


async def abandon(server: str, world: World, *, secret: SecretValue) -> int:
    """Take an open rollout back, on every host that it has come to; the number of the release that is none any more."""
    _, release = begun(server, world)
    for host in (operation.host for operation in world.state.open_operations(server)):
        async with holding(server, host, world, reason="abort") as site:
            operation = world.state.open_operation(server, host.name)
            if operation is None or operation.kind == RETIRE:
                continue
            _refuse_settled(operation)
            rollout: Rollout = reopened(operation, site, world, secret=secret)
            await take_back(rollout, reason=f"aborted by {world.author}")
    world.say("abort", server, f"release {release.number} is taken back", stage=Stage.DONE)
    return release.number


def _refuse_settled(operation: Operation) -> None:
    if Standing.of(operation.step).settled:
        raise Denied(
            f"the {SPOKEN[operation.kind]} of {operation.server} release {operation.release} cannot be taken back any more",
            why="it has all requests and was proved; what served before is leaving",
            hint=f"`vitrify apply` ends it; `vitrify rollback {operation.server}` goes back",
        )
