"""The mutable lifecycle: look at a live host, plan, converge it in place. `undoing` is the way back."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import TargetUnreachable, VitrifyError
from vitrify.core.difference import Change
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.plan import HostChanges, HostPlan, Owned, Seen, expectation, plan_host
from vitrify.core.report import Converged
from vitrify.core.resource import Kinds, Observation, Resource
from vitrify.ledger.entry import Entry
from vitrify.lifecycle import hooks, left_over, record, restart
from vitrify.lifecycle.act import Act
from vitrify.lifecycle.answers import ended, objects, pairs
from vitrify.lifecycle.confirmation import allowed, confirmed, cutting
from vitrify.lifecycle.hooked import InPlace, there
from vitrify.lifecycle.lease import asked_for, ended_here
from vitrify.lifecycle.sealed import said
from vitrify.lifecycle.strangers import along
from vitrify.lifecycle.tenure import by_lease, keeping
from vitrify.lifecycle.world import World

INTENDED, DONE, FAILED = "apply.intended", "apply.done", "apply.failed"
UNDONE, _NOT_BEGUN = "undone", "not begun"


def scope(server: str, host: Host, world: World) -> JSONObject:
    """Which target a call is about, and where it keeps its memory."""
    root = host.folder or "/"
    return {
        "target": "folder" if host.is_folder else "host",
        "root": root,
        "lower": [],
        "project": world.project_id,
        "server": server,
        "memory": f"{root.rstrip('/')}/var/lib/vitrify",
        "bwrap": world.bubblewrap() if host.is_folder else "",
        "key": world.key,
    }


async def plan(server: Server, host: Host, world: World) -> HostPlan:
    """What an apply would change on this host; changes nothing."""
    seen = await look(server, host, world)
    decided = plan_host(server.wishes(host), seen, kinds=world.kinds, diff=Diffs(server, world.kinds).between)
    return HostPlan(
        server=server.name,
        host=host.name,
        changes=decided.changes,
        settled=decided.settled,
        forgotten=decided.forgotten,
        expect=expectation(seen.observations.values()),
        run=seen.unfinished,
        held=_held(seen, host),
        witnessed=seen.witnessed,
        kinds=along(_meant(decided, server.wishes(host)), world).digests,
        notices=(
            *server.notices,
            *await left_over.notices(server, host, world),
            *_notices(server.wishes(host), seen, world),
            *_strange(decided.strange),
            *_warnings(decided.changes, host, world),
            *(hooks.foretold(server.hooks, ("apply",)) if decided.changes else ()),
        ),
    )


def _meant(changes: HostChanges | HostPlan, wishes: Iterable[Resource]) -> Iterator[Resource]:
    """Everything that an apply has to know the kind of."""
    yield from wishes
    yield from (change.resource for change in changes.changes)


def _warnings(changes: Sequence[Change], host: Host, world: World) -> Iterator[str]:
    seconds = allowed(changes, host, world)
    for warning in cutting(changes, world.kinds) if seconds else ():
        yield f"{warning}: the host takes it back by itself unless a new connection is let in within {seconds:g} s"


def _strange(resources: Sequence[Resource]) -> Iterator[str]:
    """What became of things whose kind was uninstalled here before they were taken away."""
    for kind in sorted({resource.address.kind for resource in resources}):
        names = ", ".join(str(resource.address) for resource in resources if resource.address.kind == kind)
        yield f"the kind `{kind}` is not installed here any more: {names} left the declaration, and stays until it is"


def _notices(wishes: Iterable[Resource], seen: Seen, world: World) -> Iterator[str]:
    for wish in wishes:
        yield from world.kinds[wish.address.kind].notices(wish, seen.observations[wish.address])


async def look(server: Server, host: Host, world: World) -> Seen:
    """One round trip: every wish and everything owned, as it is now."""
    async with world.session(host) as session:
        guests = along(server.wishes(host), world)
        arguments: JSONObject = {"scope": scope(server.name, host, world), "resources": _sent(server.wishes(host)), **guests.arguments}
        answer = await session.call("observe", arguments, contents=guests.contents)
    return replace(seen_from(answer), witnessed=world.mirror.judged(answer.get("ledger"), host.name))


def seen_from(answer: JSONObject) -> Seen:
    """What a host answered, as values."""
    observations = [Observation.from_json(item) for item in objects(answer, "observations")]
    held = answer.get("held")
    return Seen(
        observations={observation.address: observation for observation in observations},
        owned=tuple(Owned.from_json(item) for item in objects(answer, "owned")),
        unfinished=str(answer.get("unfinished", "")),
        held=held if isinstance(held, dict) else None,
    )


def _held(seen: Seen, host: Host) -> str:
    """Who is changing the host right now, in words; "" where nobody is, or where it is a run that goes on by itself and is followed."""
    if seen.held is None or ended_here(seen.held) or (host.is_remote and seen.unfinished and seen.held.get("operation") == seen.unfinished):
        return ""
    from vitrify.onhost.lease import Lease, spoken

    lease = Lease.from_json(seen.held)
    return f"{lease.by or 'somebody else'}, {spoken(lease)}"


async def apply(server: Server, host: Host, planned: HostPlan, world: World) -> Converged:
    """Carry out exactly this plan, journal first; a run that was cut short is continued under its own name."""
    if world.tenure.wish() or not (allowed(planned.changes, host, world) or (planned.changes and there(server.hooks))):
        return await _applied(server, host, planned, world)
    # Hooks on the host, and whoever has to be let in anew, act by the same lease.
    async with keeping({host.name: scope(server.name, host, world)}, server, world, reason="apply") as worlds:
        return await _applied(server, host, planned, worlds[host.name])


async def _applied(server: Server, host: Host, planned: HostPlan, world: World) -> Converged:
    started, known = world.clock.monotonic(), world.ledger.size
    restart.refuse_here(planned.changes, host, world)
    since, run = await _run_of(server, host, planned, world)
    fresh = since == world.ledger.size
    intent: JSONObject = {**_intent(server, host, planned, run), **({"plan": world.plan} if world.plan else {}), **world.answering}
    world.state.manage(server.name, host.name)
    since = record.once(world.ledger, INTENDED, intent, since=since)
    world.reached("apply.intent")
    around = InPlace(server, host, world, intent, since, idle=not planned.changes and since == known)
    await around.before("apply")
    with world.working_on(host.name, f"{len(planned.changes)} changes"):
        answer, lost = await _acted(server, host, planned, _Run(run, fresh=fresh), world)
    world.reached("apply.act")
    outcomes = tuple(ended(item) for item in objects(answer, "results"))
    failed = [outcome for outcome in outcomes if outcome.outcome == "failed"]
    objection = None if failed or lost else await around.after("apply")
    body: JSONObject = {
        "operation": run,
        "server": server.name,
        "host": host.name,
        "results": pairs((outcome.address, outcome.outcome) for outcome in outcomes),
        **said(answer),
        "token": answer.get("token"),
        **({"unconfirmed": str(lost.diagnostics[0].why)} if lost else {}),
    }
    record.once(world.ledger, FAILED if failed or lost else DONE, body, since=since)
    world.reached("apply.outcome")
    for error in filter(None, (lost, objection)):
        raise error
    if answer.get("resumed") and not {str(change.resource.address) for change in planned.changes} <= {end.address for end in outcomes}:
        # What was begun before was another plan; this one is carried out after it, or refused where it rests on what was before.
        rest = await _applied(server, host, replace(planned, run=""), world)
        return replace(rest, outcomes=(*outcomes, *rest.outcomes), seconds=world.clock.monotonic() - started)
    return Converged(server.name, host.name, run, outcomes, seconds=world.clock.monotonic() - started)


def _intent(server: Server, host: Host, planned: HostPlan, run: str) -> JSONObject:
    changes = _intended(planned)
    return {"operation": run, "server": server.name, "host": host.name, "changes": changes, "declaration": server.digest}


class _Run(NamedTuple):
    """The run that an apply carries out; fresh where nobody has begun it before."""

    name: str
    fresh: bool


async def _acted(server: Server, host: Host, planned: HostPlan, run: _Run, world: World) -> tuple[JSONObject, TargetUnreachable | None]:
    """What `_enact` returns; where a change restarts the host, it is waited for, and the same run goes on."""
    while True:
        watch = restart.Watch(world, planned.changes)
        try:
            return await _enact(server, host, planned, run, watch.hearing)
        except VitrifyError as error:
            if not watch.explains(error):
                raise
        await restart.back(watch, scope(server.name, host, world), host, world)
        planned = restart.rest(planned, await plan(server, host, world), run.name, world)
        run = run._replace(fresh=False)


async def _enact(server: Server, host: Host, planned: HostPlan, run: _Run, world: World) -> tuple[JSONObject, TargetUnreachable | None]:
    """The host's answer, and why the run does not stand where it could have shut us out, and did."""
    seconds = allowed(planned.changes, host, world)
    guests = along(_meant(planned, server.wishes(host)), world)
    arguments: JSONObject = {
        "scope": scope(server.name, host, world),
        "run": run.name,
        "by": world.author,
        "changes": [change.to_json() for change in planned.changes],
        "settled": _sent(planned.settled),
        "forgotten": [str(resource.address) for resource in planned.forgotten],
        "expect": planned.expect,
        "resources": _sent(server.wishes(host)),
        "keep": {"runs": world.keep_runs},
        "dead_man": seconds,
        "lease": asked_for("apply", world, operation=run.name),
        "audited": list(server.audit.folders),
        **world.mirror.news(host.name, since=planned.witnessed),
        **guests.arguments,
    }
    contents = {**server.contents, **guests.contents}
    async with world.session(host) as session:
        act = Act("enact", run.name, arguments, contents)
        answer = await by_lease(act, host, session, world, fresh=run.fresh)
    # Of an apply that was cut short as well: whoever comes back finds it done, and the host would still take it back.
    waiting = answer.get("armed")
    try:
        for armed in waiting if isinstance(waiting, list) and host.is_remote else ():
            await confirmed(str(armed), scope(server.name, host, world), host, world)
    except TargetUnreachable as error:
        return answer, error
    return answer, None


async def _run_of(server: Server, host: Host, planned: HostPlan, world: World) -> tuple[int, str]:
    """Where to look for this run's entries, and its name: that of a run cut short, where this one ends it; else a new one.

    A run that the host finished is never given more to do: its before-images are the way back from exactly what it did.
    """
    intent = _open_intent(server, host, world)
    if intent is None:
        return world.ledger.size, planned.run or world.identify()
    run, told = str(intent.body["operation"]), intent.body.get("changes")
    covered = isinstance(told, list) and all(change in told for change in _intended(planned))
    same = covered and intent.body.get("declaration") == server.digest
    if planned.run == run:
        return intent.sequence if same else world.ledger.size, run  # what goes beyond what was told is told
    if not planned.run and not (planned.changes or planned.bookkeeping):
        return intent.sequence, run  # nothing is left to do but to say so
    state = await _state(run, server, host, world)
    if state == _NOT_BEGUN and not planned.run and same:
        return intent.sequence, run
    body: JSONObject = {"operation": run, "server": server.name, "host": host.name, "state": state}
    record.once(world.ledger, DONE if state in ("done", UNDONE) else FAILED, body, since=intent.sequence)
    return world.ledger.size, planned.run or world.identify()


def _open_intent(server: Server, host: Host, world: World) -> Entry | None:
    newest = record.last(world.ledger, server=server.name, host=host.name, kinds=(INTENDED, DONE, FAILED))
    return newest if newest is not None and newest.kind == INTENDED else None


async def _state(run: str, server: Server, host: Host, world: World) -> str:
    """What became of a run, as its host remembers."""
    async with world.session(host) as session:
        known = await session.call("observe", {"scope": scope(server.name, host, world), "resources": []})
    return next((str(item["state"]) for item in objects(known, "runs") if item["run"] == run), _NOT_BEGUN)


def unrecorded(server: Server, host: Host, world: World) -> bool:
    """Whether an apply was intended whose outcome the ledger does not know: the process ended before it could say."""
    return _open_intent(server, host, world) is not None


class Diffs:
    """Renders unified diffs between what a host shows and what a server declares; secrets and hidden contents give none."""

    def __init__(self, server: Server, kinds: Kinds) -> None:
        self._contents = server.contents
        self._kinds = kinds

    def between(self, wish: Resource, seen: Observation) -> str:
        """The diff of a resource's text, or "" where old or new must not or cannot be shown."""
        if wish.secret or wish.absent:
            return ""
        old = seen.body if seen.body is not None else ("" if seen.properties.get("type") == "missing" else None)
        new = self._kinds[wish.address.kind].text(wish, seen, self._shown)
        if old is None or new is None or old == new:
            return ""
        name = wish.address.name
        return "".join(difflib.unified_diff(_lines(old), _lines(new), f"{name} (now)", f"{name} (declared)", n=2))

    def _shown(self, digest: str) -> bytes:
        content = self._contents[digest]
        return Path(content.path).read_bytes() if content.path else content.data or b""


def _lines(text: str) -> list[str]:
    return [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in text.splitlines(keepends=True)]


def _sent(resources: Iterable[Resource]) -> list[JSON]:
    return [resource.to_json() for resource in resources]


def _intended(planned: HostPlan) -> list[JSON]:
    return pairs((str(change.resource.address), change.action.value) for change in planned.changes)
