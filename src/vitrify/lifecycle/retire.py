"""Taking a server out of service: every instance is stopped and discarded, its route forgotten; images and history stay."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import UsageInvalid, VitrifyError
from vitrify.core.digest import JSONObject
from vitrify.core.event import Stage
from vitrify.core.hook import Hook
from vitrify.core.report import Retired
from vitrify.lifecycle import hooks, record
from vitrify.lifecycle.collection import tidy
from vitrify.lifecycle.fleet import problem
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.lodging import HERE, lodged
from vitrify.lifecycle.preview import forget_previews
from vitrify.lifecycle.settings import SecretValue, from_json, known_secrets
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.world import Site, World
from vitrify.ports import Operation, Slots

RETIRE: Final = "retire"
NONE_KNOWN: Final = known_secrets({})


async def retire(server: str, world: World, *, host: str = "", secret: SecretValue = NONE_KNOWN, parallel: int = 10) -> Retired:
    """Stop and discard every instance of a server, on all its hosts or on one; killed midway, the same command goes on.

    The error of an only host is raised; of several, each that could not do its part is told, and the others go on.
    """
    known = lodged(server, world) or (HERE,)
    hosts = [one for one in known if host in ("", one.name)]
    if not hosts:
        names = ", ".join(one.name for one in known)
        raise UsageInvalid(f"no instance of {server} is on {host}", hint=f"its instances are on {names}")
    if not hosts[1:]:
        return Retired(await _retired(server, hosts[0], world, secret=secret))
    ended = await side_by_side([partial(_retired, server, one, world, secret=secret) for one in hosts], at_most=parallel)
    errors = [(one, error) for one, error in zip(hosts, ended, strict=True) if isinstance(error, VitrifyError)]
    problems = tuple(problem(server, one.name, error) for one, error in errors)
    return Retired(sum(one for one in ended if isinstance(one, int)), problems)


async def _retired(server: str, host: Host, world: World, *, secret: SecretValue) -> int:
    async with holding(server, host, world, reason="retire") as site:
        ended = await carry_out_retirement(_begun(server, site, world), site, world, secret=secret)
        await tidy(server, site, world)
        return ended


def _begun(server: str, site: Site, world: World) -> Operation:
    """The retirement that is under way, or a new one."""
    operation = world.state.open_operation(server, site.host.name)
    if operation is not None and operation.kind == RETIRE:
        return operation
    if operation is not None:
        _give_up(operation, world)
    releases = world.state.releases(server, host=site.host.name)
    if not releases:
        raise UsageInvalid(
            f"{server} has no release to retire", hint=f"servers with releases: {', '.join(world.state.servers()) or 'none'}"
        )
    number = world.state.slots(server, site.host.name).live or releases[0].number
    release = next(release for release in releases if release.number == number)
    fresh = Operation(world.identify(), server, site.host, RETIRE, number, "begin", {"since": world.ledger.size, "token": site.token})
    return world.state.begin(release, fresh)[1]


def _give_up(operation: Operation, world: World) -> None:
    """End a rollout that was cut short where it is: all instances leave, whatever it wanted, and its server may be declared no more."""
    since = operation.data.get("since")
    body: JSONObject = {
        "operation": operation.id,
        "server": operation.server,
        "host": operation.host.name,
        "release": operation.release,
        "reason": "the server is retired",
    }
    record.once(world.ledger, f"{operation.kind}.failed", body, since=since if isinstance(since, int) else 0)
    world.state.finish(operation.id, slots=None, states={operation.release: "aborted"} if operation.kind == "release" else {})


async def carry_out_retirement(operation: Operation, site: Site, world: World, *, secret: SecretValue) -> int:
    """Traffic first, then the instances, then what we remember."""
    server, since = operation.server, operation.data.get("since")
    start = since if isinstance(since, int) else 0
    told: JSONObject = {"operation": operation.id, "server": server, "host": operation.host.name}
    record.once(world.ledger, "retire.intended", {**told, "token": site.token}, since=start)
    release = world.state.release(server, operation.release)
    settings = from_json(release.settings) if release else None
    around = replace(_course(operation, settings.hooks if settings else (), site, world), secret=secret)
    await _permitted(around, operation)
    if settings and settings.route:
        await site.router.release(settings.route, server=server)
    await forget_previews(server, site, world)
    found = await site.runtime.instances(world.labels(server))
    for instance in found:
        if not instance.gone:
            await site.runtime.stop(instance.id, grace=5.0)
        await site.runtime.discard(instance.id)
        world.say("instance.discard", instance.id, stage=Stage.DONE)
    objection = await _objection(around)
    record.once(world.ledger, "retire.done", {**told, "instances": len(found)}, since=start)
    states = {release.number: "discarded" for release in world.state.releases(server, host=operation.host.name)}
    world.state.finish(operation.id, slots=Slots(), states=states)
    if objection:
        raise objection
    return len(found)


def _course(operation: Operation, found: tuple[Hook, ...], site: Site, world: World) -> hooks.Course:
    since = operation.data.get("since")
    return hooks.Course(
        world,
        found,
        kind=RETIRE,
        operation=operation.id,
        server=operation.server,
        host=site.host,
        since=since if isinstance(since, int) else 0,
        secret=NONE_KNOWN,
        about={"release": {"number": operation.release}},
    )


async def _permitted(around: hooks.Course, operation: Operation) -> None:
    """The hooks before it. Where one fails the server stays, and its retirement is over."""
    try:
        await hooks.run(around, (RETIRE,), before=True)
    except hooks.HookFailed as error:
        body: JSONObject = {"operation": operation.id, "server": operation.server, "reason": error.diagnostics[0].summary}
        record.once(around.world.ledger, "retire.failed", body, since=around.since)
        around.world.state.finish(operation.id, slots=None, states={})
        raise


async def _objection(around: hooks.Course) -> hooks.HookFailed | None:
    """The hooks after it; the error of one that fails, once all that was done is remembered."""
    try:
        await hooks.run(around, (RETIRE,), before=False)
    except hooks.HookFailed as error:
        return error
    return None
