"""The mutable lifecycle: look at a live host, plan, converge it in place, undo."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import TargetFailed, UsageInvalid
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.plan import HostPlan, Owned, Seen, expectation, plan_host
from vitrify.core.report import Converged, Outcome
from vitrify.core.resource import Kinds, Observation, Resource
from vitrify.lifecycle import record
from vitrify.lifecycle.world import World

INTENDED, DONE, FAILED = "apply.intended", "apply.done", "apply.failed"
UNDO_INTENDED, UNDO_DONE = "undo.intended", "undo.done"
_UNDONE = "undone"


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
        "bwrap": world.bubblewrap,
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
        notices=(*server.notices, *_notices(server.wishes(host), seen, world)),
    )


def _notices(wishes: Iterable[Resource], seen: Seen, world: World) -> Iterator[str]:
    for wish in wishes:
        yield from world.kinds[wish.address.kind].notices(wish, seen.observations[wish.address])


async def look(server: Server, host: Host, world: World) -> Seen:
    """One round trip: every wish and everything owned, as it is now."""
    async with world.session(host) as session:
        answer = await session.call("observe", {"scope": scope(server.name, host, world), "resources": _sent(server.wishes(host))})
    return seen_from(answer)


def seen_from(answer: JSONObject) -> Seen:
    """What a host answered, as values."""
    observations = [Observation.from_json(item) for item in _objects(answer, "observations")]
    return Seen(
        observations={observation.address: observation for observation in observations},
        owned=tuple(Owned.from_json(item) for item in _objects(answer, "owned")),
        unfinished=str(answer.get("unfinished", "")),
    )


async def apply(server: Server, host: Host, planned: HostPlan, world: World) -> Converged:
    """Carry out exactly this plan, journal first; a run that was cut short is continued under its own name."""
    started = world.clock.now()
    since, run = _run_of(server, host, planned, world)
    intent: JSONObject = {
        "operation": run,
        "server": server.name,
        "host": host.name,
        "changes": _pairs((str(change.resource.address), change.action.value) for change in planned.changes),
        "declaration": server.digest,
    }
    since = record.once(world.ledger, INTENDED, intent, since=since)
    world.reached("apply.intent")
    answer = await _enact(server, host, planned, run, world)
    world.reached("apply.act")
    outcomes = tuple(_outcome(item) for item in _objects(answer, "results"))
    failed = [outcome for outcome in outcomes if outcome.outcome == "failed"]
    body: JSONObject = {
        "operation": run,
        "server": server.name,
        "host": host.name,
        "results": _pairs((outcome.address, outcome.outcome) for outcome in outcomes),
        "baseline": str(answer.get("baseline", "")),
    }
    record.once(world.ledger, FAILED if failed else DONE, body, since=since)
    world.reached("apply.outcome")
    return Converged(server.name, host.name, run, outcomes, seconds=world.clock.now() - started)


async def _enact(server: Server, host: Host, planned: HostPlan, run: str, world: World) -> JSONObject:
    arguments: JSONObject = {
        "scope": scope(server.name, host, world),
        "run": run,
        "by": world.author,
        "changes": [change.to_json() for change in planned.changes],
        "settled": _sent(planned.settled),
        "forgotten": [str(resource.address) for resource in planned.forgotten],
        "expect": planned.expect,
        "resources": _sent(server.wishes(host)),
    }
    async with world.session(host) as session:
        return await session.call("enact", arguments, contents=server.contents, emit=world.emit)


def _run_of(server: Server, host: Host, planned: HostPlan, world: World) -> tuple[int, str]:
    """Where to look for this run's entries, and its name: the one of an intent that has no outcome yet, else a new one."""
    newest = record.last(world.ledger, server=server.name, host=host.name, kinds=(INTENDED, DONE, FAILED))
    if newest is not None and newest.kind == INTENDED:
        return newest.sequence, planned.run or str(newest.body["operation"])
    return world.ledger.size, planned.run or world.identify()


def unrecorded(server: Server, host: Host, world: World) -> bool:
    """Whether an apply was intended whose outcome the ledger does not know: the process ended before it could say."""
    newest = record.last(world.ledger, server=server.name, host=host.name, kinds=(INTENDED, DONE, FAILED))
    return newest is not None and newest.kind == INTENDED


async def undo(server: str, host: Host, world: World, *, run: str = "", force: bool = False) -> Converged:
    """Put back what a run found before it changed it: contents, modes, owners, times. "" means the last run not undone yet.

    Which run that is stands in the ledger before anything is done: cut short and called again, the same run is finished
    and not one more taken back.
    """
    started = world.clock.now()
    async with world.session(host) as session:
        known = await session.call("observe", {"scope": scope(server, host, world), "resources": []})
        states = {str(item["run"]): str(item["state"]) for item in _objects(known, "runs")}
        since, operation, wanted = _undo_of(server, host, world, run=run, states=states)
        body: JSONObject = {"operation": operation, "server": server, "host": host.name, "run": wanted}
        since = record.once(world.ledger, UNDO_INTENDED, body, since=since)
        world.reached("undo-story.intent")
        answer: JSONObject = {"run": wanted, "results": [], "skipped": []}
        if states.get(wanted) != _UNDONE:
            arguments: JSONObject = {"scope": scope(server, host, world), "run": wanted, "force": force, "by": world.author}
            answer = await session.call("undo", arguments, emit=world.emit)
        world.reached("undo-story.act")
    outcomes = tuple(_outcome(item) for item in _objects(answer, "results"))
    body = {**body, "results": _pairs((outcome.address, outcome.outcome) for outcome in outcomes)}
    record.once(world.ledger, UNDO_DONE, body, since=since)
    world.reached("undo-story.outcome")
    skipped = answer.get("skipped")
    not_undone = tuple(str(address) for address in skipped) if isinstance(skipped, list) else ()
    return Converged(server, host.name, wanted, outcomes, not_undone=not_undone, seconds=world.clock.now() - started)


def _undo_of(server: str, host: Host, world: World, *, run: str, states: Mapping[str, str]) -> tuple[int, str, str]:
    """Where to look for this undo's entries, its name, and the run to take back: that of an undo without an outcome first.

    `states` has the runs of the host, newest first.
    """
    newest = record.last(world.ledger, server=server, host=host.name, kinds=(UNDO_INTENDED, UNDO_DONE, INTENDED))
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


def _outcome(data: JSONObject) -> Outcome:
    return Outcome(str(data["address"]), str(data["outcome"]), str(data.get("error") or ""))


def _objects(answer: JSONObject, name: str) -> list[JSONObject]:
    items = answer.get(name)
    if not isinstance(items, list):
        raise TargetFailed(f"the host's answer lacks {name!r}", hint="the payload and this program differ; run the command again")
    return [item for item in items if isinstance(item, dict)]
