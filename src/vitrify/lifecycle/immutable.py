"""The immutable lifecycle: put a release forward, replace what was tampered with, go back."""

from __future__ import annotations

from dataclasses import replace

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import Denied, PlanStale, UsageInvalid
from vitrify.core.event import Stage
from vitrify.core.plan import WAITING, ReleasePlan
from vitrify.core.report import Released
from vitrify.lifecycle import migration, write_once
from vitrify.lifecycle.audit import altered_findings, record_new, unauthorised
from vitrify.lifecycle.baking import Wanted, baked, wanted_of
from vitrify.lifecycle.collection import tidy
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.lodging import lodging, served_anywhere
from vitrify.lifecycle.operation import SPOKEN, Intended, Rollout, Written, moved
from vitrify.lifecycle.proposal import declared, propose, standing
from vitrify.lifecycle.retire import RETIRE, carry_out_retirement
from vitrify.lifecycle.rollout import carry_out, take_back
from vitrify.lifecycle.settings import SecretValue, from_json, known_secrets, to_json
from vitrify.lifecycle.update import settle
from vitrify.lifecycle.verdict import goes_back
from vitrify.lifecycle.world import Site, World
from vitrify.onhost.layout import LABEL_FINGERPRINT
from vitrify.ports import Operation, Release, Slots


async def plan(server: Server, host: Host, world: World) -> ReleasePlan:
    """What an apply would do, and why; changes nothing."""
    async with world.site(host) as site:
        return await propose(server, host, site, world)


async def apply(server: Server, host: Host, planned: ReleasePlan, world: World) -> Released:
    """Do what was planned, or refuse: bake, launch, gate, switch, drain, keep warm. Nothing where that was done meanwhile."""
    async with holding(server.name, host, world, reason="apply") as site:
        # Between the plan and the lease others may have been at work: what is due is decided again, now that nobody can.
        due = await propose(server, host, site, world)
        refuse_stale(planned, due)
        await contracted(server, planned, site, world)
        operation = world.state.open_operation(server.name, host.name)
        if operation and due.kind in ("resume", WAITING):
            return await go_on(reopened(operation, site, world, secret=known_secrets(server.secrets)))
        if operation:
            await cleared(operation, site, world, secret=known_secrets(server.secrets))
            due = await propose(server, host, site, world)
        if due.kind == "release":
            return await _release(wanted_of(server, world), site, world)
        return await (unchanged(server, site, world) if due.kind == "none" else carry_out(await begun(server, due, site, world)))


async def contracted(server: Server, planned: ReleasePlan, site: Site, world: World) -> None:
    """Carry out the contract that the plan names, unless somebody did meanwhile."""
    found = migration.owed(server.name, world) if planned.contract else None
    if found and found.due and found.release == planned.contract:
        await migration.carry_out(found, site, world, secret=known_secrets(server.secrets))


def refuse_stale(planned: ReleasePlan, due: ReleasePlan) -> None:
    """PlanStale where what is due now is not what was planned."""
    if planned.declared != due.declared:
        raise PlanStale(f"the declaration of {planned.server}, or its base, changed since the plan was made", hint="plan again")
    if due.kind not in ("none", WAITING) and _aim(planned) != _aim(due):
        raise PlanStale(
            f"{planned.server} changed since the plan was made",
            why=f"planned was: {_spoken(planned)}; due is: {_spoken(due)}",
            hint="plan again, and look at it",
        )


def _aim(plan: ReleasePlan) -> tuple[object, ...]:
    instances = (frozenset(plan.replace), plan.launch) if plan.kind == "replace" else ()
    return (plan.kind, plan.release, plan.live, *instances)


def _spoken(plan: ReleasePlan) -> str:
    which = f" ({', '.join(plan.replace)})" if plan.kind == "replace" and plan.replace else ""
    return f"{plan.kind} of release {plan.release}{f' while {plan.live} is live' if plan.live else ''}{which}"


async def _release(wanted: Wanted, site: Site, world: World) -> Released:
    # Until the release is begun nothing but this says that its image is needed.
    with world.storage.using():
        rollout = await _begun(wanted, site, world)
    return await (go_on(rollout) if rollout else unchanged(wanted.server, site, world))


async def _begun(wanted: Wanted, site: Site, world: World) -> Rollout | None:
    """The release of what is wanted; nothing where that is live already."""
    release = await unnumbered(wanted, site, world)
    if is_live(release, site, world):
        return None  # the base was touched, but there is the same in it
    return await opened(release, "release", site, world, secret=known_secrets(wanted.server.secrets))


def is_live(release: Release, site: Site, world: World) -> bool:
    """Whether there is the same in the release that is live there."""
    live = _live(release.server, site, world)
    return live is not None and (live.image, declared(live)) == (release.image, declared(release))


async def unnumbered(wanted: Wanted, site: Site, world: World) -> Release:
    """The release of what is wanted, baked; it has no number before it is begun."""
    wanted = await settle(wanted, site, world)
    image = await baked(wanted, site, world)
    labels = image.config.get("Labels")
    return Release(
        server=wanted.server.name,
        number=0,
        image=image.digest,
        settings={
            **to_json(wanted.settings),
            "declared": wanted.declared,
            "pinned": wanted.pinned.to_json(),
            "base": labels.get(LABEL_FINGERPRINT) if isinstance(labels, dict) else None,
        },
        resources=wanted.resources,
        created_at=world.clock.now(),
        state="prepared",
    )


async def go_on(rollout: Rollout) -> Released:
    """Carry out, and tell the ledger how long it took: the next plan says so."""
    started, world = rollout.world.clock.monotonic(), rollout.world
    world.say(rollout.operation.kind, rollout.server, f"release {rollout.release.number}", stage=Stage.STARTED)
    released = await carry_out(rollout)
    await tidy(rollout.server, rollout.site, world)
    if rollout.operation.kind == "release" and not released.waits:
        world.ledger.append("release.timed", {"server": rollout.server, "ms": round((world.clock.monotonic() - started) * 1000)})
    return released


def _live(server: str, site: Site, world: World) -> Release | None:
    number = world.state.slots(server, site.host.name).live
    return world.state.release(server, number) if number else None


async def unchanged(server: Server, site: Site, world: World) -> Released:
    """Nothing was left to do: what is live already."""
    write_once.keep(server, world)
    live = _live(server.name, site, world)
    if live is None:
        raise PlanStale(f"{server.name} has no live release any more", hint="plan again")
    route = from_json(live.settings).route
    return Released(
        server=server.name,
        host=site.host.name,
        kind="none",
        release=live.number,
        previous=world.state.slots(server.name, site.host.name).previous,
        image=live.image,
        instances=tuple((await standing(site, live, world)).sound),
        url=await site.router.address(route) if route else "",
    )


async def replacement(server: Server, due: ReleasePlan, site: Site, world: World, *, wave: str = "") -> Rollout:
    """New instances in place of those that the plan names, and of no other: begun."""
    live = _live(server.name, site, world)
    if live is None:
        raise PlanStale(f"{server.name} has no live release any more", hint="plan again")
    known = await site.runtime.instances(world.labels(server.name))
    # What is replaced is discarded: what was altered in it is told first, or nobody would ever know.
    altered = {instance.id: await site.runtime.altered(instance.id) for instance in known if instance.id in due.replace}
    record_new(unauthorised(altered_findings(server.name, altered)), world)
    number, secret = str(live.number), known_secrets(server.secrets)
    stay = [instance for instance in known if not instance.gone and instance.id not in due.replace]
    keep = tuple(instance.id for instance in stay if instance.labels.get("release") == number)
    return await opened(live, "replace", site, world, secret=secret, keep=keep, out=due.replace, wave=wave, evidence=due.evidence)


async def rollback(server: str, world: World, *, to: int | None, secret: SecretValue) -> Released:
    """Make a former release live again: at once while its instances are warm, by launching its image otherwise."""
    host = lodging(server, world)
    async with holding(server, host, world, reason="rollback") as site:
        open_operation = world.state.open_operation(server, host.name)
        if open_operation and open_operation.kind == "rollback" and to in (None, open_operation.release):
            return await carry_out(reopened(open_operation, site, world, secret=secret))
        if open_operation:
            await cleared(open_operation, site, world, secret=secret)
        found = rollback_target(server, world, to=to)
        target = world.state.release(server, found.number, host=host.name) or replace(found, state="prepared")
        return await carry_out(await way_back(target, site, world, secret=secret))


async def way_back(target: Release, site: Site, world: World, *, secret: SecretValue, wave: str = "") -> Rollout:
    """A rollback to this release: begun. What was altered of it while it was kept warm does not come back."""
    found = await standing(site, target, world)
    record_new(unauthorised(altered_findings(target.server, found.altered)), world)
    warm = tuple(instance for instance, state in found.sound.items() if state == "running")
    return await opened(target, "rollback", site, world, secret=secret, keep=warm, out=tuple(found.altered), wave=wave)


def rollback_target(server: str, world: World, *, to: int | None) -> Release:
    """The release that a rollback would make live on every host; `UsageInvalid` or `Denied` with what is left to choose from."""
    known = [world.state.slots(server, host.name) for host in world.state.hosts(server)]
    newest = max((slots for slots in known if slots.live), key=lambda slots: slots.live or 0, default=Slots())
    everywhere = newest.live if all(slots.live in (None, newest.live) for slots in known) else None
    number = newest.previous if to is None else to
    kept = (one for one in world.state.releases(server) if one.state in ("live", "warm", "stopped") and one.number != everywhere)
    choice = [release.number for release in kept if world.storage.has(release.image)]
    left = f"releases that can be rolled back to: {', '.join(map(str, choice))}" if choice else "there is no release to go back to"
    if number is None:
        begun = next((one.release for one in world.state.open_operations(server) if one.kind == "release"), None)
        raise UsageInvalid(
            f"{server} has no previous release",
            hint=f"release {begun} has not ended: `vitrify abort {server}` takes it back" if begun else left,
        )
    release = world.state.release(server, number)
    if release is None or release.number == everywhere:
        raise UsageInvalid(f"{server} has no former release {number}" if release is None else f"release {number} is live", hint=left)
    if release.over:
        gone = "" if world.storage.has(release.image) else "no release needed its image, and it was taken away"
        raise Denied(f"release {number} of {server} is {release.state}", why=gone, hint=left)
    if number not in choice:
        raise Denied(f"the image of release {number} of {server} is not here any more", why=release.image, hint=left)
    migration.refuse_across(server, release, world)
    return release


async def begun(server: Server, due: ReleasePlan, site: Site, world: World, *, wave: str = "") -> Rollout:
    """What is due where no new release is: begun."""
    if due.kind == "join":
        return await joining(server, due.release, site, world, wave=wave)
    return await replacement(server, due, site, world, wave=wave)


async def joining(server: Server, number: int, site: Site, world: World, *, wave: str = "") -> Rollout:
    """A release that other hosts have already, on one that has it not: begun."""
    release = world.state.release(server.name, number)
    if release is None:
        raise PlanStale(f"release {number} of {server.name} is not known any more", hint="plan again")
    new = world.state.release(server.name, number, host=site.host.name) or replace(release, state="prepared")
    fresh = not served_anywhere(server.name, number, world)
    return await opened(new, "join", site, world, secret=known_secrets(server.secrets), wave=wave, untried=fresh)


async def opened(  # noqa: PLR0913  one value for each thing that an operation is about
    release: Release,
    kind: str,
    site: Site,
    world: World,
    *,
    secret: SecretValue,
    keep: tuple[str, ...] = (),
    out: tuple[str, ...] = (),
    wave: str = "",
    untried: bool = False,
    evidence: int = 0,
) -> Rollout:
    """Begin an operation: durable before anything is done."""
    slots, settings = world.state.slots(release.server, site.host.name), from_json(release.settings)
    back = await site.router.live(release.server) if settings.route else None
    intended = Intended(
        keep=keep,
        out=out,
        live=slots.live,
        previous=slots.previous,
        since=world.ledger.size,
        back=back.addresses if back else (),
        back_set=back.name if back else "",
        token=site.token,
        wave=wave,
        untried=untried,
        evidence=evidence,
    )
    operation = Operation(world.identify(), release.server, site.host, kind, release.number, "begin", intended.to_json())
    release, operation = world.state.begin(release, operation)
    world.reached("begin.outcome")
    return Rollout(world, site, release, settings, operation, intended, secret, Written(operation))


def reopened(operation: Operation, site: Site, world: World, *, secret: SecretValue, wave: str = "") -> Rollout:
    """Go on with an operation that was begun before, by the lease that is held now."""
    release = world.state.release(operation.server, operation.release, host=operation.host.name)
    if release is None:
        raise PlanStale(f"release {operation.release} of {operation.server} is not known any more")
    before = Intended.from_json(operation.data)
    intended = replace(before, token=site.token, wave=wave or before.wave)  # it goes on by a lease of its own
    settings, ours = from_json(release.settings), replace(operation, data=intended.to_json())
    return Rollout(world, site, release, settings, ours, intended, secret, Written(operation))


async def cleared(operation: Operation, site: Site, world: World, *, secret: SecretValue) -> None:
    """End an unfinished operation that is not what is wanted now: forwards where traffic has moved, else back."""
    if operation.kind == RETIRE:
        await carry_out_retirement(operation, site, world, secret=secret)
        return
    rollout = reopened(operation, site, world, secret=secret)
    world.say("recover", operation.server, f"ending the unfinished {SPOKEN[operation.kind]} of release {operation.release}")
    if goes_back(operation, world):
        await take_back(rollout, reason="it did not pass on all hosts")
    elif rollout.standing.taken_back or not await moved(operation, rollout.settings, site):
        await take_back(rollout, reason="another command took its place")
    else:
        await carry_out(rollout)
