"""The mutable lifecycle: look at a live host, plan, converge it in place, undo."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import TargetFailed, TargetUnreachable, UsageInvalid, VitrifyError
from vitrify.core.difference import Change
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.plan import HostChanges, HostPlan, Owned, Seen, expectation, plan_host
from vitrify.core.report import Converged, Outcome
from vitrify.core.resource import Kinds, Observation, Resource
from vitrify.ledger.entry import Entry
from vitrify.lifecycle import hooks, left_over, record, restart
from vitrify.lifecycle.act import Act
from vitrify.lifecycle.confirmation import allowed, confirmed, cutting
from vitrify.lifecycle.hooked import InPlace
from vitrify.lifecycle.lease import asked_for, when_free
from vitrify.lifecycle.sealed import said, with_seals
from vitrify.lifecycle.sent import Sent
from vitrify.lifecycle.strangers import Along, along, packed
from vitrify.lifecycle.swept import texts
from vitrify.lifecycle.world import World

INTENDED, DONE, FAILED = "apply.intended", "apply.done", "apply.failed"
UNDO_INTENDED, UNDO_DONE, UNDO_FAILED = "undo.intended", "undo.done", "undo.failed"
_UNDONE, _NOT_BEGUN = "undone", "not begun"


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
    observations = [Observation.from_json(item) for item in _objects(answer, "observations")]
    held = answer.get("held")
    return Seen(
        observations={observation.address: observation for observation in observations},
        owned=tuple(Owned.from_json(item) for item in _objects(answer, "owned")),
        unfinished=str(answer.get("unfinished", "")),
        held=held if isinstance(held, dict) else None,
    )


def _held(seen: Seen, host: Host) -> str:
    """Who is changing the host right now, in words; "" where nobody is, or where it is a run that goes on by itself and is followed."""
    if seen.held is None or (host.is_remote and seen.unfinished and seen.held.get("operation") == seen.unfinished):
        return ""
    from vitrify.onhost.lease import Lease, spoken

    lease = Lease.from_json(seen.held)
    return f"{lease.by or 'somebody else'}, {spoken(lease)}"


async def apply(server: Server, host: Host, planned: HostPlan, world: World) -> Converged:
    """Carry out exactly this plan, journal first; a run that was cut short is continued under its own name."""
    started, known = world.clock.monotonic(), world.ledger.size
    restart.refuse_here(planned.changes, host, world)
    since, run = await _run_of(server, host, planned, world)
    fresh = since == world.ledger.size
    intent: JSONObject = {**_intent(server, host, planned, run), **({"plan": world.plan} if world.plan else {})}
    world.state.manage(server.name, host.name)
    since = record.once(world.ledger, INTENDED, intent, since=since)
    world.reached("apply.intent")
    around = InPlace(server, host, world, intent, since, idle=not planned.changes and since == known)
    await around.before("apply")
    with world.working_on(host.name, f"{len(planned.changes)} changes"):
        sent = Sent({**server.contents, **along(_meant(planned, server.wishes(host)), world).contents})
        answer, lost = await _acted(server, host, planned, _Run(run, sent, fresh=fresh), world)
    world.reached("apply.act")
    outcomes = tuple(_outcome(item) for item in _objects(answer, "results"))
    failed = [outcome for outcome in outcomes if outcome.outcome == "failed"]
    objection = None if failed or lost else await around.after("apply")
    body: JSONObject = {
        "operation": run,
        "server": server.name,
        "host": host.name,
        "results": _pairs((outcome.address, outcome.outcome) for outcome in outcomes),
        **said(answer),
        "token": answer.get("token"),
        "bytes": sent.bytes,
        **({"unconfirmed": str(lost.diagnostics[0].why)} if lost else {}),
    }
    record.once(world.ledger, FAILED if failed or lost else DONE, body, since=since)
    world.reached("apply.outcome")
    for error in filter(None, (lost, objection)):
        raise error
    if answer.get("resumed") and not {str(change.resource.address) for change in planned.changes} <= {end.address for end in outcomes}:
        # What was begun before was another plan; this one is carried out after it, or refused where it rests on what was before.
        rest = await apply(server, host, replace(planned, run=""), world)
        return replace(rest, outcomes=(*outcomes, *rest.outcomes), seconds=world.clock.monotonic() - started)
    return Converged(server.name, host.name, run, outcomes, seconds=world.clock.monotonic() - started)


def _intent(server: Server, host: Host, planned: HostPlan, run: str) -> JSONObject:
    changes = _intended(planned)
    return {"operation": run, "server": server.name, "host": host.name, "changes": changes, "declaration": server.digest}


class _Run(NamedTuple):
    """The run that an apply carries out, and what its host may ask for; fresh where nobody has begun it before."""

    name: str
    contents: Sent
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
    async with world.session(host) as session:
        act = Act("enact", run.name, arguments, run.contents)
        answer = await when_free(lambda: with_seals(act, host, session, world, fresh=run.fresh), server.name, world)
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
    record.once(world.ledger, DONE if state in ("done", _UNDONE) else FAILED, body, since=intent.sequence)
    return world.ledger.size, planned.run or world.identify()


def _open_intent(server: Server, host: Host, world: World) -> Entry | None:
    newest = record.last(world.ledger, server=server.name, host=host.name, kinds=(INTENDED, DONE, FAILED))
    return newest if newest is not None and newest.kind == INTENDED else None


async def _state(run: str, server: Server, host: Host, world: World) -> str:
    """What became of a run, as its host remembers."""
    async with world.session(host) as session:
        known = await session.call("observe", {"scope": scope(server.name, host, world), "resources": []})
    return next((str(item["state"]) for item in _objects(known, "runs") if item["run"] == run), _NOT_BEGUN)


def unrecorded(server: Server, host: Host, world: World) -> bool:
    """Whether an apply was intended whose outcome the ledger does not know: the process ended before it could say."""
    return _open_intent(server, host, world) is not None


async def undo(server: Server, host: Host, world: World, *, run: str = "", force: bool = False) -> Converged:
    """Put back what a run found before it changed it: contents, modes, owners, times. "" means the last run not undone yet.

    Which run that is stands in the ledger before anything is done: cut short and called again, the same run is finished
    and not one more taken back.
    """
    started = world.clock.monotonic()
    async with world.session(host) as session:
        known = await session.call("observe", {"scope": scope(server.name, host, world), "resources": []})
        states = {str(item["run"]): str(item["state"]) for item in _objects(known, "runs")}
        since, operation, wanted = _undo_of(server.name, host, world, run=run, states=states)
        fresh = since == world.ledger.size
        body: JSONObject = {"operation": operation, "server": server.name, "host": host.name, "run": wanted}
        since = record.once(world.ledger, UNDO_INTENDED, body, since=since)
        world.reached("undo-story.intent")
        around = InPlace(server, host, world, body, since)
        await around.before("undo")
        answer: JSONObject = {"run": wanted, "results": [], "skipped": []}
        if states.get(wanted) != _UNDONE:
            guests = _guests_of(wanted, known, world)
            arguments: JSONObject = {"scope": scope(server.name, host, world), "run": wanted, "force": force, "by": world.author}
            arguments |= {
                "lease": asked_for("undo", world, operation=wanted),
                **guests.arguments,
                **world.mirror.news(host.name, since=world.mirror.judged(known.get("ledger"), host.name)),
            }
            act = Act("undo", operation, {**arguments, "audited": list(server.audit.folders)}, guests.contents)
            answer = await when_free(lambda: with_seals(act, host, session, world, fresh=fresh), server.name, world)
        world.reached("undo-story.act")
    outcomes = tuple(_outcome(item) for item in _objects(answer, "results"))
    results = _pairs((outcome.address, outcome.outcome) for outcome in outcomes)
    body = {**body, "results": results, **said(answer), "token": answer.get("token")}
    failed = any(outcome.outcome == "failed" for outcome in outcomes)
    objection = None if failed else await around.after("undo")
    record.once(world.ledger, UNDO_FAILED if failed else UNDO_DONE, body, since=since)
    world.reached("undo-story.outcome")
    if objection:
        raise objection
    not_undone, stays = (texts(answer.get(name)) for name in ("skipped", "stays"))
    return Converged(server.name, host.name, wanted, outcomes, not_undone, stays, seconds=world.clock.monotonic() - started)


def _guests_of(run: str, known: JSONObject, world: World) -> Along:
    """The kinds of others that a run was made with, as far as they are still installed here; a host remembers what they were."""
    names = next((item["kinds"] for item in _objects(known, "runs") if item["run"] == run and "kinds" in item), [])
    found = [str(name) for name in names if str(name) in world.kinds] if isinstance(names, list) else []
    return packed(world.strangers(found))


async def runs_down_to(server: str, host: Host, world: World, *, run: str) -> tuple[str, ...]:
    """The runs of a host that are not undone yet, newest first, down to this one."""
    async with world.session(host) as session:
        known = await session.call("observe", {"scope": scope(server, host, world), "resources": []})
    runs = [(str(item["run"]), str(item["state"])) for item in _objects(known, "runs")]
    names = [name for name, _ in runs]
    if run not in names:
        hint = f"runs, newest first: {', '.join(names[:5])}" if names else "nothing was applied there, or it is too long ago"
        raise UsageInvalid(f"{host.name} knows no run {run!r} of {server}", hint=hint)
    return tuple(name for name, state in runs[: names.index(run) + 1] if state != _UNDONE)


def _undo_of(server: str, host: Host, world: World, *, run: str, states: Mapping[str, str]) -> tuple[int, str, str]:
    """Where to look for this undo's entries, its name, and the run to take back: that of an undo without an outcome first.

    `states` has the runs of the host, newest first.
    """
    newest = record.last(world.ledger, server=server, host=host.name, kinds=(UNDO_INTENDED, UNDO_DONE, UNDO_FAILED, INTENDED))
    if newest is not None and newest.kind == UNDO_INTENDED and run in ("", newest.body["run"]):
        return newest.sequence, str(newest.body["operation"]), str(newest.body["run"])
    left = next((name for name, state in states.items() if state != _UNDONE), "")
    if not (run or left):
        raise UsageInvalid(f"{server} has no run on {host.name} that could be undone")
    return world.ledger.size, world.identify(), run or left


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


_MOST_TOLD = 500


def _pairs(pairs: Iterable[tuple[str, str]]) -> list[JSON]:
    """For the ledger, whose entries hold 64 KiB at most."""
    told: list[JSON] = [[first, second] for first, second in pairs]
    return told[:_MOST_TOLD]


def _intended(planned: HostPlan) -> list[JSON]:
    return _pairs((str(change.resource.address), change.action.value) for change in planned.changes)


def _outcome(data: JSONObject) -> Outcome:
    return Outcome(str(data["address"]), str(data["outcome"]), str(data.get("error") or ""), texts(data.get("besides")))


def _objects(answer: JSONObject, name: str) -> list[JSONObject]:
    items = answer.get(name)
    if not isinstance(items, list):
        raise TargetFailed(f"the host's answer lacks {name!r}", hint="the payload and this program differ; run the command again")
    return [item for item in items if isinstance(item, dict)]
