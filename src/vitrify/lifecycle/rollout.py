"""The rollout machine: launch, gate, switch, probation, retire; each intent, act, outcome under one operation.

Recovery is the same path walked again: launching adopts what runs under its id, a switch repeated is harmless, and what
the router points at decides whether traffic has moved, not what we remember.

| killed behind          | traffic is on | the same command again                       |
|------------------------|---------------|----------------------------------------------|
| launch, gate (any)     | old           | adopts the instances, gates, switches        |
| switch.intent          | old           | adopts, gates, switches                      |
| switch.act, probation  | new           | repeats the switch (harmless), retires       |
| retire.intent or later | new           | retires: the old ones may be gone by now     |
| an abort               | old           | launches, gates, aborts again: the same end  |
| a switch back          | new or old    | gates; what fails then is switched back      |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vitrify.core.diagnostic import Busy, PreviousStillServing, TargetUnreachable, VitrifyError
from vitrify.core.event import Stage
from vitrify.core.instance import Instance, InstanceSpec
from vitrify.core.report import Released
from vitrify.lifecycle.fitness import Unfit, gate, probation
from vitrify.lifecycle.hooks import HookFailed
from vitrify.lifecycle.operation import NO_WAY_BACK, SPOKEN, Rollout, moved
from vitrify.lifecycle.settings import from_json, secret_names
from vitrify.ports import Backends


async def carry_out(rollout: Rollout) -> Released:
    """Bring the release into service without losing a request; `PreviousStillServing` where it is not fit for it."""
    return await settle(rollout, await forward(rollout))


@dataclass(frozen=True)
class Forward:
    """A release that has the traffic and has proved itself, while all that served before is still there to go back to."""

    instances: tuple[Instance, ...]
    times: SwitchTimes
    since: float
    """When it was begun, by the clock that never goes back."""


async def forward(rollout: Rollout) -> Forward:
    """As far as there is a way back: `switch_back` undoes it; `PreviousStillServing` where that was done already."""
    started = rollout.world.clock.monotonic()
    rollout.note(f"{rollout.operation.kind}.intended", live=rollout.intended.live)
    if rollout.operation.step in NO_WAY_BACK:
        return Forward(await launch(rollout), SwitchTimes(0.0, None), started)
    instances = await _gated(rollout)
    try:
        times = await switch(rollout, instances)
        await _proved(rollout, instances)
    except HookFailed as error:
        raise await _given_up(rollout, error) from None
    return Forward(instances, times, started)


async def settle(rollout: Rollout, reached: Forward) -> Released:
    """Let go of what served before: from here on there is no way back but a rollback."""
    async with rollout.step("retire"):
        await retire(rollout, reached.instances)
    finish(rollout)
    kind = rollout.operation.kind
    return Released(
        server=rollout.server,
        host=rollout.host.name,
        kind=kind,
        release=rollout.release.number,
        previous=rollout.slots.previous,
        image=rollout.release.image,
        instances=tuple(instance.id for instance in reached.instances),
        url=await _url(rollout),
        warm=kind == "rollback" and bool(rollout.intended.keep),
        switch_seconds=reached.times.switched,
        answer_seconds=reached.times.answered,
        seconds=rollout.world.clock.monotonic() - reached.since,
    )


async def _gated(rollout: Rollout) -> tuple[Instance, ...]:
    """The instances, fit for traffic; `PreviousStillServing` once everything is as it was before."""
    try:
        async with rollout.step("launch"):
            instances = await launch(rollout)
        async with rollout.step("gate"):
            await gate(rollout, instances)
    except (TargetUnreachable, Busy):
        raise  # nobody is there to end anything, or it is somebody else's by now: the same command goes on with what is left
    except VitrifyError as error:
        raise await _given_up(rollout, error) from None
    return instances


async def _given_up(rollout: Rollout, error: VitrifyError) -> PreviousStillServing:
    """The error to raise, once everything is as it was before."""
    await take_back(rollout, reason=error.diagnostics[0].summary)
    return _still_serving(rollout, error)


async def _proved(rollout: Rollout, instances: tuple[Instance, ...]) -> None:
    """Returns once the probation is over; `PreviousStillServing` once traffic is back where it was."""
    try:
        async with rollout.step("probation"):
            await probation(rollout, instances)
    except Unfit as error:
        await switch_back(rollout, reason=error.diagnostics[0].summary)
        raise _still_serving(rollout, error) from None


async def launch(rollout: Rollout) -> tuple[Instance, ...]:
    """Start what is missing, adopt what is there; never a second instance under one id."""
    kept = await _kept(rollout)
    for instance in kept:
        await rollout.site.runtime.stop_later(instance.id, at=None)
    launched = [await _launch_one(rollout, index) for index in range(rollout.settings.replicas - len(kept))]
    return (*kept, *launched)


async def _kept(rollout: Rollout) -> list[Instance]:
    return [instance for instance in await rollout.running() if instance.id in rollout.intended.keep]


async def _launch_one(rollout: Rollout, index: int) -> Instance:
    settings = rollout.settings
    identity = f"{rollout.server}-r{rollout.release.number}-{rollout.operation.id[-8:]}-{index}"
    return await rollout.site.runtime.launch(
        InstanceSpec(
            id=identity,
            image=rollout.release.image,
            argv=settings.argv,
            labels={**rollout.labels(), "operation": rollout.operation.id, "instance": identity},
            environment=settings.environment(rollout.secret),
            workdir=settings.workdir,
            user=settings.user,
            writable=settings.writable,
            port=settings.port,
            runtime=settings.runtime,
            secrets=tuple(name for name, value in settings.env.items() if secret_names({name: value})),
            volumes=settings.volumes,
            capabilities=settings.capabilities,
            limits=settings.limits,
        )
    )


@dataclass(frozen=True)
class SwitchTimes:
    """Seconds from the durable intent to the switch, and to the first answer through the router."""

    switched: float
    answered: float | None


async def switch(rollout: Rollout, instances: tuple[Instance, ...]) -> SwitchTimes:
    """Move all new requests to these instances, in one rename."""
    world, route = rollout.world, rollout.settings.route
    rollout.note("switch.intended")
    intended_at = world.clock.monotonic()
    answered = None
    async with rollout.step("switch"):
        if route:
            await rollout.site.router.switch(rollout.server, to=Backends(rollout.set, _addresses(instances)))
        switched = world.clock.monotonic() - intended_at
        if route and rollout.operation.kind == "rollback":
            await _answered(rollout)
            answered = world.clock.monotonic() - intended_at
    rollout.note("switch.done", microseconds=round(switched * 1_000_000))
    world.say("switch", rollout.server, f"release {rollout.release.number} is live", stage=Stage.DONE)
    return SwitchTimes(switched, answered)


async def retire(rollout: Rollout, instances: tuple[Instance, ...]) -> None:
    """Let the old requests finish, keep the old release warm for a while, take away what is older."""
    world, runtime = rollout.world, rollout.site.runtime
    settings, serving = rollout.settings.rollout, {instance.id for instance in instances}
    await _leave_route(rollout)
    await _drain(rollout, instances)
    warm = str(rollout.slots.previous) if settings.keep_warm > 0 else ""
    for old in await runtime.instances(world.labels(rollout.server)):
        if old.id in serving:
            continue
        if old.labels.get("release") == warm and old.id not in rollout.intended.out and not old.gone:
            if old.stop_at is None:
                await runtime.stop_later(old.id, at=world.clock.now() + settings.keep_warm)
        else:
            await _end(rollout, old, grace=10.0)


async def _leave_route(rollout: Rollout) -> None:
    """A release without a route follows one that had it: the router must not lead to addresses that others will get."""
    former = rollout.world.state.release(rollout.server, rollout.intended.live) if rollout.intended.live else None
    route = from_json(former.settings).route if former else None
    if route and not rollout.settings.route:
        await rollout.site.router.release(route, server=rollout.server)


async def _drain(rollout: Rollout, instances: tuple[Instance, ...]) -> None:
    clock, router = rollout.world.clock, rollout.site.router
    leaving = [address for address in rollout.intended.back if address not in _addresses(instances)]
    if not (rollout.settings.route and leaving):
        return
    deadline = clock.monotonic() + rollout.settings.rollout.drain
    while (left := await router.in_flight(leaving)) and clock.monotonic() < deadline:
        rollout.world.say("drain", rollout.server, f"requests in flight: {left}", stage=Stage.PROGRESS)
        await clock.sleep(0.1)
    rollout.world.say("drain", rollout.server, f"requests cut: {left}" if left else "no request left", stage=Stage.DONE)


async def _end(rollout: Rollout, instance: Instance, *, grace: float) -> None:
    """Stop an instance and take it off the disk; harmless where either was done."""
    if not instance.gone:
        await rollout.site.runtime.stop(instance.id, grace=grace)
    await rollout.site.runtime.discard(instance.id)


async def abort(rollout: Rollout, *, reason: str) -> None:
    """The new instances end and leave nothing; traffic is where it was before. Warm ones get a deadline again."""
    runtime = rollout.site.runtime
    async with rollout.step("abort"):
        for instance in await runtime.instances({**rollout.labels(), "operation": rollout.operation.id}):
            await _end(rollout, instance, grace=2.0)
        if rollout.release.number != rollout.intended.live:
            for kept in await _kept(rollout):
                await runtime.stop_later(kept.id, at=rollout.world.clock.now() + rollout.settings.rollout.keep_warm)
    rollout.note(f"{rollout.operation.kind}.failed", reason=reason)
    # What never was in service on this host is over there; what was, before it was gone back from, stays what it is.
    state = {rollout.release.number: "aborted"} if rollout.release.state == "prepared" else {}
    rollout.world.state.finish(rollout.operation.id, slots=None, states=state)


async def switch_back(rollout: Rollout, *, reason: str) -> None:
    """The release failed after the switch: what served before gets the traffic again, then the new instances end."""
    intended, route, router = rollout.intended, rollout.settings.route, rollout.site.router
    async with rollout.step("switch_back"):
        if route and intended.back:
            await router.switch(rollout.server, to=Backends(intended.back_set, intended.back))
        elif route:  # nothing served before: the router must not lead to addresses that others will get
            await router.release(route, server=rollout.server)
    rollout.note("switch.back", reason=reason)
    await abort(rollout, reason=reason)


async def take_back(rollout: Rollout, *, reason: str) -> None:
    """Everything as it was before, from wherever this rollout has come to without settling."""
    # A run before this one may have switched and been killed: then traffic must go back before anything ends.
    operation = rollout.world.state.open_operation(rollout.server, rollout.host.name) or rollout.operation
    switched = await moved(operation, rollout.settings, rollout.site)
    await (switch_back if switched else abort)(rollout, reason=reason)


def finish(rollout: Rollout) -> None:
    """Close the operation: the ledger first, then slots and states in one transaction."""
    slots = rollout.slots
    rollout.note(f"{rollout.operation.kind}.done", previous=slots.previous)
    states = {rollout.release.number: "live"}
    retained = 0
    for release in rollout.world.state.releases(rollout.server, host=rollout.host.name):
        if release.number == slots.live or release.over:
            continue
        retained += 1
        # The previous release can be many numbers back, after rollbacks: it is kept whatever its age.
        kept = retained <= rollout.settings.rollout.retain
        states[release.number] = "warm" if release.number == slots.previous else "stopped" if kept else "discarded"
    rollout.world.state.finish(rollout.operation.id, slots=slots, states=states)


async def _url(rollout: Rollout) -> str:
    route = rollout.settings.route
    return await rollout.site.router.address(route) if route else ""


async def _answered(rollout: Rollout) -> None:
    """Wait for the first answer through the router; to the health path, which costs the application least."""
    health, route = rollout.settings.health, rollout.settings.route
    if route is not None:
        await rollout.site.router.answers(route, path=route.path.rstrip("/") + (health.http if health and health.http else "/"))


def _addresses(instances: Iterable[Instance]) -> tuple[str, ...]:
    return tuple(f"127.0.0.1:{instance.port}" for instance in instances if instance.port)


_HINTS = {
    "release": "mend the declaration and apply again",
    "join": "mend the host and apply again: the others serve on",
    "replace": "`vitrify status` shows what runs; apply tries again",
    "rollback": "`vitrify releases` lists what else can be rolled back to, with --to",
}


def _still_serving(rollout: Rollout, error: VitrifyError) -> PreviousStillServing:
    live = rollout.intended.live
    serving = f"release {live} still serves" if live else "nothing served before, and nothing does now"
    return PreviousStillServing(
        f"{SPOKEN[rollout.operation.kind]} of {rollout.server} release {rollout.release.number} failed; {serving}",
        why="; ".join(filter(None, (error.diagnostics[0].summary, error.diagnostics[0].why))),
        hint=_HINTS[rollout.operation.kind],
    )
