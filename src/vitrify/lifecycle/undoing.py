"""The way back of what was changed in place: a run is undone from what its host kept, and the ledger knows before and after."""

from __future__ import annotations

from collections.abc import Mapping

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.report import Converged
from vitrify.lifecycle import record
from vitrify.lifecycle.act import Act
from vitrify.lifecycle.answers import ended, objects, pairs, texts
from vitrify.lifecycle.hooked import InPlace
from vitrify.lifecycle.lease import asked_for
from vitrify.lifecycle.mutable import INTENDED, UNDONE, scope
from vitrify.lifecycle.sealed import said
from vitrify.lifecycle.strangers import Along, packed
from vitrify.lifecycle.tenure import by_lease
from vitrify.lifecycle.world import World

UNDO_INTENDED, UNDO_DONE, UNDO_FAILED = "undo.intended", "undo.done", "undo.failed"


async def undo(server: Server, host: Host, world: World, *, run: str = "", force: bool = False) -> Converged:
    """Put back what a run found before it changed it: contents, modes, owners, times. "" means the last run not undone yet.

    Which run that is stands in the ledger before anything is done: cut short and called again, the same run is finished
    and not one more taken back.
    """
    started = world.clock.monotonic()
    async with world.session(host) as session:
        known = await session.call("observe", {"scope": scope(server.name, host, world), "resources": []})
        states = {str(item["run"]): str(item["state"]) for item in objects(known, "runs")}
        since, operation, wanted = _undo_of(server.name, host, world, run=run, states=states)
        fresh = since == world.ledger.size
        body: JSONObject = {"operation": operation, "server": server.name, "host": host.name, "run": wanted}
        since = record.once(world.ledger, UNDO_INTENDED, body, since=since)
        world.reached("undo-story.intent")
        around = InPlace(server, host, world, body, since)
        await around.before("undo")
        answer: JSONObject = {"run": wanted, "results": [], "skipped": []}
        if states.get(wanted) != UNDONE:
            guests = _guests_of(wanted, known, world)
            arguments: JSONObject = {"scope": scope(server.name, host, world), "run": wanted, "force": force, "by": world.author}
            arguments |= {
                "lease": asked_for("undo", world, operation=wanted),
                **guests.arguments,
                **world.mirror.news(host.name, since=world.mirror.judged(known.get("ledger"), host.name)),
            }
            act = Act("undo", operation, arguments, guests.contents)
            answer = await by_lease(act, host, session, world, fresh=fresh)
        world.reached("undo-story.act")
    outcomes = tuple(ended(item) for item in objects(answer, "results"))
    results = pairs((outcome.address, outcome.outcome) for outcome in outcomes)
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
    names = next((item["kinds"] for item in objects(known, "runs") if item["run"] == run and "kinds" in item), [])
    found = [str(name) for name in names if str(name) in world.kinds] if isinstance(names, list) else []
    return packed(world.strangers(found))


async def runs_down_to(server: str, host: Host, world: World, *, run: str) -> tuple[str, ...]:
    """The runs of a host that are not undone yet, newest first, down to this one."""
    async with world.session(host) as session:
        known = await session.call("observe", {"scope": scope(server, host, world), "resources": []})
    runs = [(str(item["run"]), str(item["state"])) for item in objects(known, "runs")]
    names = [name for name, _ in runs]
    if run not in names:
        hint = f"runs, newest first: {', '.join(names[:5])}" if names else "nothing was applied there, or it is too long ago"
        raise UsageInvalid(f"{host.name} knows no run {run!r} of {server}", hint=hint)
    return tuple(name for name, state in runs[: names.index(run) + 1] if state != UNDONE)


def _undo_of(server: str, host: Host, world: World, *, run: str, states: Mapping[str, str]) -> tuple[int, str, str]:
    """Where to look for this undo's entries, its name, and the run to take back: that of an undo without an outcome first.

    `states` has the runs of the host, newest first.
    """
    newest = record.last(world.ledger, server=server, host=host.name, kinds=(UNDO_INTENDED, UNDO_DONE, UNDO_FAILED, INTENDED))
    if newest is not None and newest.kind == UNDO_INTENDED and run in ("", newest.body["run"]):
        return newest.sequence, str(newest.body["operation"]), str(newest.body["run"])
    left = next((name for name, state in states.items() if state != UNDONE), "")
    if not (run or left):
        raise UsageInvalid(f"{server} has no run on {host.name} that could be undone")
    return world.ledger.size, world.identify(), run or left
