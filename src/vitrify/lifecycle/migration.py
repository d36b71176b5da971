"""Migrations of what a server keeps for good: `expand` before a release gets traffic, `contract` once nothing goes back behind it.

Both belong to a release, whatever number of hosts it goes to, and are carried out once. `expand` must suit the release before,
which still serves; where it fails the rollout ends there. `contract` waits until the former release is not kept warm any more.

| killed                | the same command again                                                      |
|-----------------------|-----------------------------------------------------------------------------|
| in the middle of one  | what had ended is not run again, what was cut short is                      |
| in a contract         | the release is noted as `contracting`: nothing goes back behind it already  |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import Denied, UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.event import Stage
from vitrify.core.hook import CONTRACT, EXPAND, Hook
from vitrify.core.instance import Instance
from vitrify.core.migrated import Contracted, Owed
from vitrify.core.release import Release
from vitrify.lifecycle import hooks, record
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.lodging import lodged
from vitrify.lifecycle.settings import SecretValue, from_json
from vitrify.lifecycle.world import Site, World

EXPANDED, CONTRACTING, CONTRACTED, SKIPPED = NOTES = "expanded", "contracting", "contracted", "skipped"
"""Notes of a release, in the order in which it gets them."""
INTENDED, DONE, FAILED, PASSED_OVER = "contract.intended", "contract.done", "contract.failed", "contract.skipped"
_WENT_LIVE = ("release.done", "rollback.done")


async def expand(course: hooks.Course, number: int) -> None:
    """Carry out the release's `expand`, unless that was done: for another host, or before this process. `HookFailed` where it fails."""
    world, server = course.world, course.server
    if course.kind != "release" or not any(hook.phase == EXPAND for hook in course.hooks):
        return
    async with world.turns.one_at_a_time(f"expand {server} {number}"):
        known = world.state.release(server, number)
        if known is None or EXPANDED in known.notes:
            return
        own = hooks.under(course, f"{server}-r{number}-{EXPAND}", kind=EXPAND)
        body: JSONObject = {"operation": own.operation, "server": server, "release": number}
        record.once(world.ledger, "expand.intended", body, since=course.since)
        world.reached("expand.intent")
        await hooks.run(own, (EXPAND,), before=True)
        world.reached("expand.act")
        record.once(world.ledger, "expand.done", body, since=course.since)
        world.state.note(server, number, EXPANDED)
        world.reached("expand.outcome")


def owed(server: str, world: World) -> Owed | None:
    """The contract of the live release, where it has one that was not carried out; None where nothing is owed."""
    slots = [world.state.slots(server, host.name) for host in lodged(server, world)]
    numbers = {found.live for found in slots if found.live}
    live = world.state.release(server, max(numbers)) if len(numbers) == 1 else None  # on its way from host to host, it waits
    if live is None or {CONTRACTED, SKIPPED} & live.notes:
        return None
    settings = from_json(live.settings)
    commands = tuple(" ".join(hook.command) for hook in settings.hooks if hook.phase == CONTRACT)
    if not commands:
        return None
    begun = CONTRACTING in live.notes
    ends = 0.0 if begun or not any(found.previous for found in slots) else _went_live(server, live, world) + settings.rollout.keep_warm
    return Owed(server, live.number, commands, ends_at=ends, due=ends <= world.clock.now(), begun=begun)


def _went_live(server: str, live: Release, world: World) -> float:
    entry = record.last(world.ledger, server=server, kinds=_WENT_LIVE)
    return datetime.fromisoformat(entry.at).timestamp() if entry else live.created_at


def promised(server: str, world: World) -> tuple[int, tuple[str, ...]]:
    """For a plan: the release whose contract an apply begins with, or 0; and what is to be said of one that cannot be yet."""
    found = owed(server, world)
    if found is None:
        return 0, ()
    if found.due:
        return found.release, ()
    until = datetime.fromtimestamp(found.ends_at).astimezone().isoformat(timespec="seconds")
    return 0, (f"release {found.release} has a contract, which waits until {until}: so long it can be rolled back at once",)


def superseded(server: str, declared: Iterable[Hook], world: World) -> tuple[str, ...]:
    """For the plan of a new release: what the live one still owes and the new one does not declare, so that nobody would carry it out."""
    found, kept = owed(server, world), {" ".join(hook.command) for hook in declared if hook.phase == CONTRACT}
    lost = [command for command in found.commands if command not in kept] if found and not found.due else []
    told = f"release {found.release if found else 0} was not contracted yet, and the next one does not declare"
    return (f"{told}: {', '.join(lost)}; declare it until it was carried out",) if lost else ()


async def contract(server: str, host: Host, world: World, *, secret: SecretValue, now: bool = False) -> Contracted:
    """Carry out what the live release owes, with the lease of its server. `now` does not wait for the rollback window to end."""
    async with holding(server, host, world, reason=CONTRACT) as site:
        for operation in world.state.open_operations(server):
            raise Denied(
                f"a {operation.kind} of {server} is not finished",
                why="its end decides which release is live",
                hint="`vitrify apply` ends it",
            )
        found = needed(server, world)
        if not (found.due or now):
            raise Denied(
                f"the rollback window of {server} release {found.release} is still open",
                why=" ".join(promised(server, world)[1]),
                hint=f"wait, or give up the way back: `vitrify contract {server} --now`",
            )
        return await carry_out(found, site, world, secret=secret)


def needed(server: str, world: World) -> Owed:
    """What `owed` finds; `UsageInvalid` where that is nothing."""
    found = owed(server, world)
    if found is None:
        raise UsageInvalid(f"{server} owes no contract", hint="`rollout: {contract: [{command: […]}]}` declares one for the next release")
    return found


async def carry_out(found: Owed, site: Site, world: World, *, secret: SecretValue) -> Contracted:
    """The contract itself, for whoever holds the lease. `HookFailed` where a command fails: what ended before it is not run again."""
    started, server, number = world.clock.monotonic(), found.server, found.release
    operation = f"{server}-r{number}-{CONTRACT}"
    body: JSONObject = {"operation": operation, "server": server, "release": number, "token": site.token}
    begun = record.last(world.ledger, server=server, kinds=(INTENDED,))
    since = begun.sequence if begun is not None and begun.body.get("operation") == operation else world.ledger.size
    record.once(world.ledger, INTENDED, body, since=since)
    world.state.note(server, number, CONTRACTING)
    world.reached("contract.intent")
    try:
        await hooks.run(_course(found, site, world, since=since, secret=secret), (CONTRACT,), before=True)
    except hooks.HookFailed as error:
        world.ledger.append(FAILED, {**body, "reason": error.diagnostics[0].summary})
        raise
    world.reached("contract.act")
    record.once(world.ledger, DONE, body, since=since)
    world.state.note(server, number, CONTRACTED)
    world.reached("contract.outcome")
    world.say(CONTRACT, server, f"release {number} is contracted: nothing goes back behind it", stage=Stage.DONE)
    return Contracted(server, number, found.commands, seconds=world.clock.monotonic() - started)


def _course(found: Owed, site: Site, world: World, *, since: int, secret: SecretValue) -> hooks.Course:
    server, number = found.server, found.release
    release = world.state.release(server, number)
    if release is None:
        raise UsageInvalid(f"{server} has no release {number}")

    async def look() -> Sequence[Instance]:
        return await site.runtime.instances(world.labels(server, number))

    return hooks.Course(
        world,
        from_json(release.settings).hooks,
        kind=CONTRACT,
        operation=f"{server}-r{number}-{CONTRACT}",
        server=server,
        host=site.host,
        since=since,
        secret=secret,
        about={"release": {"number": number, "image": release.image, "live": number, "previous": None}},
        inside=partial(hooks.inside, look, site, world.clock),
        again=True,
    )


async def skip(server: str, host: Host, world: World) -> Contracted:
    """Never carry it out: what a newer release declares takes its place."""
    async with holding(server, host, world, reason=CONTRACT):
        found = needed(server, world)
        body: JSONObject = {"operation": world.identify(), "server": server, "release": found.release}
        world.ledger.append(PASSED_OVER, body)
        world.state.note(server, found.release, SKIPPED)
        return Contracted(server, found.release, found.commands, skipped=True)


def refuse_across(server: str, target: Release, world: World) -> None:
    """`Denied` where what is kept for good was contracted, or began to be, for a release after this one."""
    for release in world.state.releases(server):
        if release.number > target.number and {CONTRACTING, CONTRACTED} & release.notes:
            state = "was contracted" if CONTRACTED in release.notes else "began to be contracted"
            raise Denied(
                f"release {target.number} of {server} cannot become live again",
                why=f"what it kept {state} for release {release.number}, and {target.number} was made for what was there before",
                hint=f"go back to release {release.number} or newer, or put forward a new release that suits what is there now",
            )
