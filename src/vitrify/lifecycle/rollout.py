"""The rollout machine: launch, gate, switch, probation, retire; each intent, act, outcome under one operation.

Recovery is the same path walked again: launching adopts what runs under its id, a switch repeated is harmless, and what
the router points at decides whether traffic has moved, not what we remember.

| killed behind          | traffic is on | the same command again                       |
|------------------------|---------------|----------------------------------------------|
| launch, gate (any)     | old           | adopts the instances, gates, switches        |
| switch.intent          | old           | adopts, gates, switches                      |
| switch.act or later    | new           | repeats the switch (harmless), retires       |
| an abort               | old           | launches, gates, aborts again: the same end  |
| a switch back          | new or old    | gates; what fails then is switched back      |
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from vitrify.core.diagnostic import PreviousStillServing, TargetUnreachable, VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Stage
from vitrify.core.report import Released
from vitrify.lifecycle import record
from vitrify.lifecycle.settings import RunSettings, SecretValue
from vitrify.lifecycle.world import Site, World
from vitrify.ports import Backends, Instance, InstanceSpec, Operation, Release, Slots

_CRASHES = 2


class Unfit(VitrifyError):
    """The new instances must not get, or keep, traffic."""


@dataclass(frozen=True)
class Intended:
    """What an operation set out to do; durable in `Operation.data` before anything is done."""

    keep: tuple[str, ...]
    """Instances of the release that run already and go on (a warm rollback, the untouched part of a replacement)."""
    out: tuple[str, ...]
    """Instances of the release that leave for good."""
    live: int | None
    previous: int | None
    since: int
    """Ledger entries from here on can be about this operation."""
    back: tuple[str, ...]
    """The addresses that served before; where a failing probation switches back to."""
    back_set: str

    def to_json(self) -> JSONObject:
        """The form of `Operation.data`."""
        return {
            "keep": list(self.keep),
            "out": list(self.out),
            "live": self.live,
            "previous": self.previous,
            "since": self.since,
            "back": list(self.back),
            "back_set": self.back_set,
        }

    @classmethod
    def from_json(cls, data: JSONObject) -> Intended:
        """Read what `to_json` wrote."""
        live, previous, since = data["live"], data["previous"], data["since"]
        return cls(
            keep=_texts(data["keep"]),
            out=_texts(data["out"]),
            live=live if isinstance(live, int) else None,
            previous=previous if isinstance(previous, int) else None,
            since=since if isinstance(since, int) else 0,
            back=_texts(data["back"]),
            back_set=str(data["back_set"]),
        )


def _texts(value: JSON) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


@dataclass(frozen=True)
class Rollout:
    """One operation on one server, and everything needed to carry it out."""

    world: World
    site: Site
    release: Release
    settings: RunSettings
    operation: Operation
    intended: Intended
    secret: SecretValue

    @property
    def server(self) -> str:
        """The server's name."""
        return self.release.server

    @property
    def set(self) -> str:
        """The name of the set of backends that this operation switches to."""
        return f"r{self.release.number}-{self.operation.id[-8:]}"

    def labels(self) -> dict[str, str]:
        """What marks an instance as this release's."""
        return self.world.labels(self.server, self.release.number)

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        """Intent, act, outcome of one side effect; both ends durable."""
        self.world.state.advance(self.operation.id, step=f"{name}.intent", data=self.operation.data)
        self.world.reached(f"{name}.intent")
        yield
        self.world.reached(f"{name}.act")
        self.world.state.advance(self.operation.id, step=name, data=self.operation.data)
        self.world.reached(f"{name}.outcome")

    def note(self, kind: str, **more: JSON) -> None:
        """Tell the ledger, once for each operation and kind."""
        body: JSONObject = {
            "operation": self.operation.id,
            "server": self.server,
            "release": self.release.number,
            "image": self.release.image,
            **more,
        }
        record.once(self.world.ledger, kind, body, since=self.intended.since)


async def carry_out(rollout: Rollout) -> Released:
    """Bring the release into service without losing a request; `PreviousStillServing` where it is not fit for it."""
    kind, started = rollout.operation.kind, rollout.world.clock.now()
    rollout.note(f"{kind}.intended", live=rollout.intended.live)
    try:
        async with rollout.step("launch"):
            instances = await launch(rollout)
        async with rollout.step("gate"):
            await gate(rollout, instances)
    except TargetUnreachable:
        raise  # nobody is there to end anything: the operation stays open, and the same command goes on with it
    except VitrifyError as error:
        # A run before this one may have switched and been killed: then traffic must go back before anything ends.
        await (switch_back if await moved(rollout) else abort)(rollout, reason=str(error))
        raise _still_serving(rollout, error) from None
    times = await switch(rollout, instances)
    try:
        async with rollout.step("probation"):
            await probation(rollout, instances)
    except Unfit as error:
        await switch_back(rollout, reason=str(error))
        raise _still_serving(rollout, error) from None
    async with rollout.step("retire"):
        await retire(rollout, instances)
    finish(rollout)
    return Released(
        server=rollout.server,
        kind=kind,
        release=rollout.release.number,
        previous=_slots(rollout).previous,
        image=rollout.release.image,
        instances=tuple(instance.id for instance in instances),
        url=await _url(rollout),
        warm=bool(rollout.intended.keep),
        switch_seconds=times.switched,
        answer_seconds=times.answered,
        seconds=rollout.world.clock.now() - started,
    )


async def launch(rollout: Rollout) -> tuple[Instance, ...]:
    """Start what is missing, adopt what is there; never a second instance under one id."""
    kept = [instance for instance in await _running(rollout) if instance.id in rollout.intended.keep]
    for instance in kept:
        await rollout.site.runtime.stop_later(instance.id, at=None)
    launched = [await _launch_one(rollout, index) for index in range(rollout.settings.replicas - len(kept))]
    return (*kept, *launched)


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
        )
    )


async def gate(rollout: Rollout, instances: Iterable[Instance]) -> None:
    """Wait until each instance passes its health check several times in a row; `Unfit` with the reason where one does not."""
    for instance in instances:
        passes = 1 if instance.id in rollout.intended.keep else None
        await _healthy(rollout, instance, passes=passes)
        rollout.world.say("instance.health", instance.id, "passes", stage=Stage.DONE)
    if rollout.settings.route:
        await rollout.site.router.ensure(rollout.settings.route, server=rollout.server)


async def _healthy(rollout: Rollout, instance: Instance, *, passes: int | None) -> None:
    clock, health = rollout.world.clock, rollout.settings.health
    wanted = passes or (health.passes if health else 2)
    interval, grace = (health.interval, health.grace) if health else (0.2, 10.0)
    deadline, in_a_row, reason = clock.now() + grace, 0, ""
    while in_a_row < wanted:
        reason = await _look(rollout, instance)
        in_a_row = 0 if reason else in_a_row + 1
        if reason and clock.now() > deadline:
            raise Unfit(f"instance {instance.id} is not healthy after {grace:g} s: {reason}")
        if in_a_row < wanted:
            await clock.sleep(interval)


async def _look(rollout: Rollout, instance: Instance) -> str:
    found = [seen for seen in await _running(rollout) if seen.id == instance.id]
    if not found or found[0].restarts >= _CRASHES:
        code = f" with exit code {found[0].exit_code}" if found and found[0].exit_code is not None else ""
        said = (await rollout.site.runtime.logs(instance.id, lines=3)).strip()
        raise Unfit(f"instance {instance.id} ended{code}", why=f"its last words: {said}" if said else "it wrote nothing")
    if rollout.settings.health is None:
        return "" if found[0].state == "running" else f"is {found[0].state}"
    return await rollout.site.runtime.healthy(instance.id, rollout.settings.health)


@dataclass(frozen=True)
class SwitchTimes:
    """Seconds from the durable intent to the switch, and to the first answer through the router."""

    switched: float
    answered: float | None


async def switch(rollout: Rollout, instances: tuple[Instance, ...]) -> SwitchTimes:
    """Move all new requests to these instances, in one rename."""
    world, route = rollout.world, rollout.settings.route
    rollout.note("switch.intended")
    intended_at = world.clock.now()
    answered = None
    async with rollout.step("switch"):
        if route:
            await rollout.site.router.switch(rollout.server, to=Backends(rollout.set, _addresses(instances)))
        switched = world.clock.now() - intended_at
        if route and rollout.operation.kind == "rollback":
            await _answered(rollout)
            answered = world.clock.now() - intended_at
    rollout.note("switch.done")
    world.say("switch", rollout.server, f"release {rollout.release.number} is live", stage=Stage.DONE)
    return SwitchTimes(switched, answered)


async def probation(rollout: Rollout, instances: tuple[Instance, ...]) -> None:
    """Keep looking for a while after the switch; `Unfit` at the first instance that fails as often as it had to pass."""
    if rollout.operation.kind == "rollback":
        return  # it has served before, and whoever goes back is in a hurry
    clock, length = rollout.world.clock, rollout.settings.rollout.probation
    health = rollout.settings.health
    until, failures = clock.now() + length, dict.fromkeys((instance.id for instance in instances), 0)
    while clock.now() < until:
        for instance in instances:
            reason = await _look(rollout, instance)
            failures[instance.id] = failures[instance.id] + 1 if reason else 0
            if failures[instance.id] >= (health.passes if health else 2):
                raise Unfit(f"instance {instance.id} failed in its probation: {reason}")
        await clock.sleep(min(1.0, health.interval if health else 0.2))


async def retire(rollout: Rollout, instances: tuple[Instance, ...]) -> None:
    """Let the old requests finish, keep the old release warm for a while, take away what is older."""
    world, runtime = rollout.world, rollout.site.runtime
    settings, serving = rollout.settings.rollout, {instance.id for instance in instances}
    await _drain(rollout, instances)
    warm = _slots(rollout).previous
    for old in await runtime.instances(world.labels(rollout.server)):
        if old.id in serving:
            continue
        if old.labels.get("release") == str(warm) and old.id not in rollout.intended.out and settings.keep_warm > 0:
            if not old.gone and old.stop_at is None:
                await runtime.stop_later(old.id, at=world.clock.now() + settings.keep_warm)
        else:
            await _end(rollout, old)


async def _drain(rollout: Rollout, instances: tuple[Instance, ...]) -> None:
    clock, router = rollout.world.clock, rollout.site.router
    leaving = [address for address in rollout.intended.back if address not in _addresses(instances)]
    if not (rollout.settings.route and leaving):
        return
    deadline = clock.now() + rollout.settings.rollout.drain
    while (left := await router.in_flight(leaving)) and clock.now() < deadline:
        rollout.world.say("drain", rollout.server, f"{left} requests in flight", stage=Stage.PROGRESS)
        await clock.sleep(0.1)
    rollout.world.say("drain", rollout.server, f"{left} requests cut" if left else "no request left", stage=Stage.DONE)


async def _end(rollout: Rollout, old: Instance) -> None:
    """Stop an instance; what was found altered stays on disk, stopped, for whoever wants to look at it."""
    runtime = rollout.site.runtime
    if not old.gone:
        await runtime.stop(old.id, grace=10.0)
    elif old.id not in rollout.intended.out:
        await runtime.discard(old.id)


async def abort(rollout: Rollout, *, reason: str) -> None:
    """The new instances end; traffic was never touched."""
    async with rollout.step("abort"):
        for instance in await rollout.site.runtime.instances({**rollout.labels(), "operation": rollout.operation.id}):
            await rollout.site.runtime.stop(instance.id, grace=2.0)
    rollout.note(f"{rollout.operation.kind}.failed", reason=reason)
    state = {} if rollout.operation.kind != "release" else {rollout.release.number: "aborted"}
    rollout.world.state.finish(rollout.operation.id, slots=None, states=state)


async def switch_back(rollout: Rollout, *, reason: str) -> None:
    """The release failed in its probation: the set that served before gets the traffic again, then the new instances end."""
    async with rollout.step("switch_back"):
        if rollout.settings.route and rollout.intended.back:
            await rollout.site.router.switch(rollout.server, to=Backends(rollout.intended.back_set, rollout.intended.back))
    rollout.note("switch.back", reason=reason)
    await abort(rollout, reason=reason)


def finish(rollout: Rollout) -> None:
    """Close the operation: the ledger first, then slots and states in one transaction."""
    slots = _slots(rollout)
    rollout.note(f"{rollout.operation.kind}.done", previous=slots.previous)
    states = {rollout.release.number: "live"}
    retained = 0
    for release in rollout.world.state.releases(rollout.server):
        if release.number == slots.live or release.state in ("aborted", "discarded"):
            continue
        retained += 1
        # The previous release can be many numbers back, after rollbacks: it is kept whatever its age.
        kept = retained < rollout.settings.rollout.retain
        states[release.number] = "warm" if release.number == slots.previous else "stopped" if kept else "discarded"
    rollout.world.state.finish(rollout.operation.id, slots=slots, states=states)


def _slots(rollout: Rollout) -> Slots:
    number, intended = rollout.release.number, rollout.intended
    return Slots(live=number, previous=intended.previous if number == intended.live else intended.live)


async def moved(rollout: Rollout) -> bool:
    """Whether traffic is on this operation's set already: asked of the router where there is one."""
    if rollout.settings.route:
        live = await rollout.site.router.live(rollout.server)
        return live is not None and live.name == rollout.set
    return rollout.operation.step in ("switch", "probation.intent", "probation", "retire.intent", "retire")


async def _running(rollout: Rollout) -> tuple[Instance, ...]:
    found = await rollout.site.runtime.instances(rollout.labels())
    return tuple(instance for instance in found if not instance.gone)


async def _url(rollout: Rollout) -> str:
    route = rollout.settings.route
    return await rollout.site.router.address(route) if route else ""


async def _answered(rollout: Rollout) -> None:
    """Wait for the first answer through the router; to the health path, which costs the application least."""
    health, url = rollout.settings.health, await _url(rollout)
    await rollout.world.first_answer(url.rstrip("/") + (health.http if health and health.http else "/"))


def _addresses(instances: Iterable[Instance]) -> tuple[str, ...]:
    return tuple(f"127.0.0.1:{instance.port}" for instance in instances if instance.port)


def _still_serving(rollout: Rollout, error: VitrifyError) -> PreviousStillServing:
    live = rollout.intended.live
    serving = f"release {live} still serves" if live else "nothing served before, and nothing does now"
    return PreviousStillServing(
        f"{rollout.operation.kind} of {rollout.server} release {rollout.release.number} failed; {serving}",
        why="; ".join(filter(None, (error.diagnostics[0].summary, error.diagnostics[0].why))),
        hint=f"`vitrify releases {rollout.server}` lists the releases; mend the declaration and apply again",
    )
