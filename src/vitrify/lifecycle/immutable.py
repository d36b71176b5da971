"""The immutable lifecycle: bake, put a release forward, replace what was tampered with, go back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import Denied, PlanStale, UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.event import Stage
from vitrify.core.plan import ReleasePlan
from vitrify.core.report import Released
from vitrify.lifecycle import record
from vitrify.lifecycle.retire import RETIRE, carry_out_retirement
from vitrify.lifecycle.rollout import Intended, Rollout, abort, carry_out, moved
from vitrify.lifecycle.settings import RunSettings, SecretValue, declared_digest, from_json, known_secrets, settings_of, to_json
from vitrify.lifecycle.world import Site, World
from vitrify.ports import BakeRequest, Image, Instance, Operation, Release
from vitrify.resources.process import image_process


@dataclass(frozen=True)
class Wanted:
    """What the declaration asks for now."""

    server: Server
    settings: RunSettings
    request: BakeRequest
    declared: str
    resources: dict[str, str]


def wanted_of(server: Server, world: World) -> Wanted:
    """Image inputs and run settings of a declared server."""
    process = next((resource for resource in server.resources if resource.address.kind == "process" and not resource.absent), None)
    if process is None or server.base is None:
        raise UsageInvalid(f"{server.name} has no process or no base to bake", where=server.where)
    settings = settings_of(server, image_process(process), key=bytes.fromhex(world.key))
    resources = {str(resource.address): resource.digest for resource in server.resources}
    return Wanted(
        server=server,
        settings=settings,
        request=BakeRequest(
            server=server.name,
            base=str(server.base),
            resources=[resource.to_json() for resource in server.resources],
            contents=server.contents,
            labels={"server": server.name},
        ),
        declared=declared_digest(server.resources, str(server.base), settings),
        resources=resources,
    )


async def plan(server: Server, host: Host, world: World) -> ReleasePlan:
    """What an apply would do: nothing, a new release, new instances of the live one, or the end of an unfinished rollout."""
    wanted, state = wanted_of(server, world), world.state
    slots, releases = state.slots(server.name), state.releases(server.name)
    live = state.release(server.name, slots.live) if slots.live else None
    operation = state.open_operation(server.name)
    following = max((release.number for release in releases), default=0) + 1
    planned = ReleasePlan(
        server=server.name,
        host=host.name,
        kind="none",
        release=slots.live or following,
        live=slots.live,
        because=(),
        declared=wanted.declared,
        notices=_notices(server, host, operation, wanted, world),
    )
    if live and _declared(live) == wanted.declared and operation is None:
        async with world.site(host) as site:
            ill = await unfit_instances(site, live, world)
        because = tuple(f"{instance}: {reason}" for instance, reason in ill.items())
        return replace(planned, kind="replace" if ill else "none", because=because, launch=len(ill), replace=tuple(ill))
    differences = _differences(wanted.resources, live.resources if live else {})
    resume = operation is not None and _declared(state.release(server.name, operation.release)) == wanted.declared
    return replace(
        planned,
        kind="resume" if resume else "release",
        release=operation.release if operation and resume else following,
        because=_because(live, differences, wanted),
        resources=differences,
        launch=wanted.settings.replicas,
        replace=tuple(await _instance_ids(host, live, world)),
        bytes_to_read=_bytes(server),
        last_seconds=_last_seconds(server.name, world),
    )


def _declared(release: Release | None) -> object:
    return release.settings.get("declared") if release else None


async def _instance_ids(host: Host, live: Release | None, world: World) -> list[str]:
    if live is None:
        return []
    async with world.site(host) as site:
        return [instance.id for instance in await _of(site, live, world) if not instance.gone]


async def _of(site: Site, release: Release, world: World) -> tuple[Instance, ...]:
    return await site.runtime.instances(world.labels(release.server, release.number))


async def unfit_instances(site: Site, live: Release, world: World) -> dict[str, str]:
    """Instances of the live release that must be replaced, with the reason: altered, or not running."""
    ill: dict[str, str] = {}
    running = 0
    for instance in await _of(site, live, world):
        if instance.gone:
            continue
        altered = await site.runtime.altered(instance.id)
        if altered:
            ill[instance.id] = f"{len(altered)} unauthorised changes, first {altered[0]['change']} {altered[0]['path']}"
        else:
            running += 1
    missing = from_json(live.settings).replicas - running - len(ill)
    return ill | {f"{live.server} instance {number + 1} of {missing} missing": "is not running" for number in range(missing)}


def _differences(now: dict[str, str], before: object) -> tuple[tuple[str, str], ...]:
    old = before if isinstance(before, dict) else {}
    found = [(address, "create" if address not in old else "update") for address, digest in now.items() if old.get(address) != digest]
    return (*found, *((address, "remove") for address in old if address not in now))


def _because(live: Release | None, differences: tuple[tuple[str, str], ...], wanted: Wanted) -> tuple[str, ...]:
    if live is None:
        return ("there is no release yet",)
    if differences:
        return (f"{len(differences)} resources differ from release {live.number}",)
    old, new = to_json(from_json(live.settings)), to_json(wanted.settings)
    changed = [name for name in new if new[name] != old.get(name) and name not in ("rollout", "health")]
    return tuple(f"{name} differs from release {live.number}" for name in changed) or (f"the base differs from release {live.number}",)


def _notices(server: Server, host: Host, operation: Operation | None, wanted: Wanted, world: World) -> tuple[str, ...]:
    notices = list(server.notices)
    if host.is_folder:
        notices.append(f"{host.name} is a folder: instances run on this machine, the folder itself stays as it is")
    if operation and _declared(world.state.release(server.name, operation.release)) != wanted.declared:
        notices.append(f"an unfinished {operation.kind} of release {operation.release} is ended first")
    converged = record.last(world.ledger, server=server.name, kinds=("apply.done",))
    if converged and not world.state.releases(server.name):
        notices.append(
            f"flips from mutable to immutable: what entry {converged.sequence} converged in place goes on until it is taken away"
        )
    return tuple(notices)


def _bytes(server: Server) -> int:
    entries = [resource.fields.get("entries") for resource in server.resources]
    sizes = [item.get("size", 0) for tree in entries if isinstance(tree, dict) for item in tree.values() if isinstance(item, dict)]
    return sum(size for size in sizes if isinstance(size, int))


def _last_seconds(server: str, world: World) -> float | None:
    newest = record.last(world.ledger, server=server, kinds=("release.timed",))
    spent = newest.body.get("ms") if newest else None
    return spent / 1000 if isinstance(spent, int) else None


async def bake(server: Server, host: Host, world: World) -> Image:
    """The image of what is declared now; recorded in the ledger when it is new. Says what the image cannot hold."""
    for notice in server.notices:
        world.say("bake", server.name, notice)
    async with world.site(host) as site:
        return await _bake(wanted_of(server, world), site, world)


async def _bake(wanted: Wanted, site: Site, world: World) -> Image:
    image = await site.builder.bake(wanted.request, emit=world.emit)
    newest = record.last(world.ledger, server=wanted.server.name, kinds=("bake.done",))
    if newest is None or newest.body.get("image") != image.digest:
        body: JSONObject = {
            "server": wanted.server.name,
            "image": image.digest,
            "bytes": image.size,
            "base": image.base,
            "declaration": wanted.server.digest,
        }
        world.ledger.append("bake.done", body)
    return image


async def apply(server: Server, host: Host, planned: ReleasePlan, world: World) -> Released:
    """Do what was planned, or refuse: bake, launch, gate, switch, drain, keep warm."""
    wanted = wanted_of(server, world)
    if wanted.declared != planned.declared:
        raise PlanStale(f"the declaration of {server.name} changed since the plan was made", hint="plan again")
    with world.claim(server.name):
        async with world.site(host) as site:
            await _clear(server.name, site, world, secret=known_secrets(server.secrets), wanted=wanted.declared)
            if planned.kind == "replace":
                return await _replace(server, site, world)
            return await _release(wanted, site, world)


async def _release(wanted: Wanted, site: Site, world: World) -> Released:
    started, server = world.clock.now(), wanted.server
    open_operation = world.state.open_operation(server.name)
    if open_operation:
        rollout = await _reopened(open_operation, site, world, secret=known_secrets(server.secrets))
    else:
        image = await _bake(wanted, site, world)
        release = Release(
            server=server.name,
            number=0,
            image=image.digest,
            settings={**to_json(wanted.settings), "declared": wanted.declared},
            resources=wanted.resources,
            created_at=started,
            state="prepared",
        )
        rollout = await _opened(release, "release", site, world, secret=known_secrets(server.secrets))
    world.say("release", server.name, f"release {rollout.release.number}", stage=Stage.STARTED)
    released = await carry_out(rollout)
    world.ledger.append("release.timed", {"server": server.name, "ms": round((world.clock.now() - started) * 1000)})
    return released


async def _replace(server: Server, site: Site, world: World) -> Released:
    slots = world.state.slots(server.name)
    live = world.state.release(server.name, slots.live) if slots.live else None
    if live is None:
        raise PlanStale(f"{server.name} has no live release any more", hint="plan again")
    ill = await unfit_instances(site, live, world)
    running = [instance.id for instance in await _of(site, live, world) if not instance.gone]
    keep, out = [name for name in running if name not in ill], [name for name in running if name in ill]
    rollout = await _opened(live, "replace", site, world, secret=known_secrets(server.secrets), keep=tuple(keep), out=tuple(out))
    return await carry_out(rollout)


async def rollback(server: str, host: Host, world: World, *, to: int | None, secret: SecretValue) -> Released:
    """Make a former release live again: at once while its instances are warm, by launching its image otherwise."""
    with world.claim(server):
        async with world.site(host) as site:
            open_operation = world.state.open_operation(server)
            if open_operation and open_operation.kind == "rollback" and to in (None, open_operation.release):
                return await carry_out(await _reopened(open_operation, site, world, secret=secret))
            await _clear(server, site, world, secret=secret, wanted="")
            target = rollback_target(server, world, to=to)
            warm = [instance for instance in await _of(site, target, world) if instance.state == "running"]
            rollout = await _opened(target, "rollback", site, world, secret=secret, keep=tuple(instance.id for instance in warm))
            return await carry_out(rollout)


def rollback_target(server: str, world: World, *, to: int | None) -> Release:
    """The release that a rollback would make live; `UsageInvalid` or `Denied` with what is left to choose from."""
    slots = world.state.slots(server)
    number = slots.previous if to is None else to
    choice = [release.number for release in world.state.releases(server) if release.state in ("warm", "stopped")]
    left = f"releases that can be rolled back to: {', '.join(map(str, choice))}" if choice else "there is no release to go back to"
    if number is None:
        raise UsageInvalid(f"{server} has no previous release", hint=left)
    release = world.state.release(server, number)
    if release is None or release.number == slots.live:
        raise UsageInvalid(f"{server} has no former release {number}" if release is None else f"release {number} is live", hint=left)
    if release.state in ("aborted", "discarded"):
        raise Denied(f"release {number} of {server} is {release.state}", hint=left)
    return release


async def _opened(  # noqa: PLR0913  one value for each thing that an operation is about
    release: Release,
    kind: str,
    site: Site,
    world: World,
    *,
    secret: SecretValue,
    keep: tuple[str, ...] = (),
    out: tuple[str, ...] = (),
) -> Rollout:
    """Begin an operation: durable before anything is done."""
    slots, settings = world.state.slots(release.server), from_json(release.settings)
    back = await site.router.live(release.server) if settings.route else None
    intended = Intended(
        keep=keep,
        out=out,
        live=slots.live,
        previous=slots.previous,
        since=world.ledger.size,
        back=back.addresses if back else (),
        back_set=back.name if back else "",
    )
    operation = Operation(world.identify(), release.server, kind, release.number, "begin", intended.to_json())
    release, operation = world.state.begin(release, operation)
    world.reached("begin.outcome")
    return Rollout(world, site, release, settings, operation, intended, secret)


async def _reopened(operation: Operation, site: Site, world: World, *, secret: SecretValue) -> Rollout:
    release = world.state.release(operation.server, operation.release)
    if release is None:
        raise PlanStale(f"release {operation.release} of {operation.server} is not known any more")
    return Rollout(world, site, release, from_json(release.settings), operation, Intended.from_json(operation.data), secret)


async def _clear(server: str, site: Site, world: World, *, secret: SecretValue, wanted: str) -> None:
    """End an unfinished operation that is not what is wanted now: forwards where traffic has moved, else back."""
    operation = world.state.open_operation(server)
    if operation is None:
        return
    if operation.kind == RETIRE:
        await carry_out_retirement(operation, site, world)
        return
    rollout = await _reopened(operation, site, world, secret=secret)
    if operation.kind == "release" and _declared(rollout.release) == wanted:
        return
    world.say("recover", server, f"ending the unfinished {operation.kind} of release {operation.release}")
    if await moved(rollout):
        await carry_out(rollout)
    else:
        await abort(rollout, reason="another command took its place")
