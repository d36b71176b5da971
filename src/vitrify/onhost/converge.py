"""Carries out a plan on a target, journal first: killed at any instant, the same call finishes what was begun."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core.diagnostic import PlanStale
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Event, Stage
from vitrify.core.resource import Address, Resource, Sureness
from vitrify.onhost import runs as told
from vitrify.onhost.acts import acts
from vitrify.onhost.baseline import Baseline, managed_folders, outer
from vitrify.onhost.change import Work, carry_out, left_open, listeners, outcome_record
from vitrify.onhost.context import Context
from vitrify.onhost.copied import sealed_in
from vitrify.onhost.dead_man import arm, armed, need_timer, seconds_of
from vitrify.onhost.images import Images
from vitrify.onhost.journal import Journal, Keep, all_runs, forget_old
from vitrify.onhost.keeper import Keeper, folders_of, told_of, untold
from vitrify.onhost.memory import Holder
from vitrify.onhost.observe import Look, holds, look, observe, observed
from vitrify.onhost.ownership import Holding, Ownership
from vitrify.onhost.packages_kept import Followed
from vitrify.onhost.runs import Run, Step, identity
from vitrify.onhost.scope import Here, objects, texts
from vitrify.onhost.strangers import forget_unused
from vitrify.onhost.testimony import keep
from vitrify.onhost.undo import leave_undos, undo

_SKIPPED: JSONObject = {"outcome": "skipped", "error": ""}


@dataclass(frozen=True)
class Request:
    """The arguments of `enact`."""

    run: str
    by: str
    changes: Tuple[Change, ...]
    settled: Tuple[Resource, ...]
    forgotten: Tuple[str, ...]
    expect: str
    resources: Tuple[Resource, ...]
    keep: Keep
    dead_man: float
    """Seconds after which the host takes this run back by itself; 0: it does not."""
    sealed: Mapping[str, str]
    """Folder -> the seal of its baseline that the project vouches for, and has a copy of."""
    audited: Tuple[str, ...]
    """Folders that are audited beside those that the resources make ours."""

    @classmethod
    def of(cls, here: Here, arguments: JSONObject) -> Request:
        """Read and check them."""
        forgotten = arguments.get("forgotten")
        return cls(
            run=str(arguments.get("run", "")),
            by=str(arguments.get("by", "")),
            changes=tuple(Change.from_json(item) for item in objects(arguments, "changes")),
            settled=here.resources(arguments, "settled"),
            forgotten=tuple(str(address) for address in forgotten) if isinstance(forgotten, list) else (),
            expect=str(arguments.get("expect", "")),
            resources=here.resources(arguments),
            keep=Keep.of(arguments.get("keep")),
            dead_man=seconds_of(arguments),
            sealed=sealed_in(arguments),
            audited=texts(arguments.get("audited")),
        )


def enact(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `enact`."""
    here = Here.at(context, arguments)
    request = Request.of(here, arguments)
    first = _look(here, request) if not here.memory.there() else None
    from vitrify.onhost.leasing import leased  # a look needs none of it

    with leased(here, arguments, reason="apply", operation=request.run) as lease:
        return {**_enacted(here, request, first, arguments), "token": lease.token}


def _enacted(here: Here, request: Request, first: Optional[Look], arguments: JSONObject) -> JSONObject:
    with here.memory.held(Holder(request.by, request.run), here.context.clock):
        leave_undos(here)
        # Making the memory may itself make folders that are wished for: the very first look was before that.
        seen = first if first and not all_runs(here.memory) else _look(here, request)
        if not (request.changes or request.settled or request.forgotten or seen.unfinished):
            return {"run": "", "results": [], **_unmoved(here, request.sealed, seen.ownership), "armed": [*armed(here)]}
        keep(here, arguments)
        return _Enactment(here, request, seen).go()


def _unmoved(here: Here, sealed: Mapping[str, str], ownership: Ownership) -> JSONObject:
    baseline = Baseline.remembered(here)
    return told_of(baseline, baseline, sealed, of=folders_of(here.scope.project, ownership))


def _look(here: Here, request: Request) -> Look:
    seen = look(here, request.resources)
    _refuse_stale(request, seen)
    return seen


def _refuse_stale(request: Request, seen: Look) -> None:
    if seen.expectation() == request.expect or _only_ours(request, seen):
        return
    now = {found.address: found.properties for found in seen.observations}
    moved = [str(change.resource.address) for change in request.changes if now.get(change.resource.address) != change.before]
    raise PlanStale(
        "the target changed after the plan was made",
        why=f"{moved[0]} is not as it was seen" if moved else "something that the plan rests on is not as it was seen",
        hint="plan again, look, and apply that",
    )


def _only_ours(request: Request, seen: Look) -> bool:
    """Whether this very plan was begun before and nothing moved but what its own run touched."""
    run = seen.unfinished
    if run is None or run.expect != request.expect:
        return False
    touched = {str(step.change.resource.address) for step in run.steps}
    return all(str(found.address) in touched or run.observed.get(str(found.address)) == found.properties for found in seen.observations)


class _Enactment:
    """One run, from its first line to its last."""

    def __init__(self, here: Here, request: Request, seen: Look) -> None:
        self._here = here
        self._request = request
        self._seen = seen
        self._wished: Mapping[Address, Resource] = {resource.address: resource for resource in request.resources}
        self._listeners = listeners(request.resources, here.context.kinds)
        self._images = Images(here.system, here.memory)
        self._keeper = Keeper(here, request.sealed)
        self._folders = outer((*managed_folders(request.resources), *request.audited))
        self._packages = Followed(here, request.audited)
        scope = here.scope
        self._inherited = seen.ownership.created_parts(scope.project, scope.server, kinds=here.context.kinds, but=self._wished)
        self._run = seen.unfinished or self._new_run()
        self._journal = Journal(here.memory, self._run.id, here.context.reached)
        self._number = max((step.number for step in self._run.steps), default=0)
        self._new_folders = {folder for step in self._run.steps for folder in step.new_folders}

    def go(self) -> JSONObject:
        """Begin or continue, change by change, and end."""
        kinds = self._here.guests.keep()
        if self._request.dead_man:
            need_timer(self._here)
        if self._seen.unfinished is None:
            self._begin()
        else:
            self._settle()
        if kinds:
            self._journal.append({"record": "kinds", "kinds": [reference.to_json() for reference in kinds]})
        self._here.context.reached("run.intent")
        if self._request.dead_man:
            arm(self._here, self._run.id, self._request.dead_man, audited=self._request.audited)
        ownership = self._seen.ownership
        self._hold(ownership)
        results: List[JSONObject] = []
        failed = False
        for group in acts(self._request.changes, self._here.context.kinds, wished=self._wished):
            ended = {} if failed else self._together(group, ownership)
            failed = failed or any(end["outcome"] == told.FAILED for end in ended.values())
            results += [{"address": str(one.resource.address), **ended.get(one.resource.address, _SKIPPED)} for one in group]
        baseline = self._move_on(ownership)
        ownership.keep(self._here.memory)
        self._here.context.reached("run.act")
        self._journal.append({"record": "end", "at": self._now(), "outcome": told.FAILED if failed else told.DONE})
        self._here.context.reached("run.outcome")
        kept = forget_old(self._here.memory, all_runs(self._here.memory), self._request.keep)
        held = ((holding.project, holding.server, holding.resource.address.kind) for holding in ownership)
        forget_unused(self._here.memory, held=held, runs=(run.kinds for run in kept))
        answered: List[JSON] = [dict(result) for result in results]
        return {"run": self._run.id, "results": answered, **baseline, "armed": [*armed(self._here)]}

    def _move_on(self, ownership: Ownership) -> JSONObject:
        mine = (*folders_of(self._run.project, ownership), *self._request.audited)
        moved = self._keeper.move_on(self._folders, (holding.resource for holding in ownership), of=mine)
        self._packages.move_on()
        return moved

    def _now(self) -> float:
        return round(self._here.context.clock(), 3)

    def _new_run(self) -> Run:
        scope, request = self._here.scope, self._request
        observed_ = {str(found.address): dict(found.properties) for found in self._seen.observations}
        sequence = max((run.sequence for run in all_runs(self._here.memory)), default=0) + 1
        return Run(request.run, scope.project, scope.server, request.by, self._now(), sequence, request.expect, observed_)

    def _begin(self) -> None:
        run = self._run
        self._journal.begin(
            {
                "run": run.id,
                "project": run.project,
                "server": run.server,
                "by": run.by,
                "at": run.at,
                "sequence": run.sequence,
                "expect": run.expect,
                "observed": dict(run.observed),
            }
        )

    def _settle(self) -> None:
        """Write down how the steps ended that a killed process could not, and take away what it left behind."""
        for step in left_open(self._here, self._images, self._run):
            self._journal.append(outcome_record(step))
        for step in self._run.steps:
            self._keeper.touched(image.path for image in step.before)
        for held in self._run.held:
            if held.after:
                self._keeper.taken_over(Holding.from_json(held.after).resource)

    def _hold(self, ownership: Ownership) -> None:
        """What is as wished already comes under management, and what left without being ours to remove is forgotten."""
        entries: List[JSON] = []
        scope = self._here.scope
        for resource in self._request.settled:
            before = ownership.find((scope.project, scope.server, str(resource.address)))
            applied = self._here.context.kinds[resource.address.kind].desired(resource)
            created = (before is not None and before.created) or self._inherits(resource)
            after = Holding(scope.project, scope.server, resource, created, applied, self._run.id)
            entries.append({"address": str(resource.address), "before": before.to_json() if before else None, "after": after.to_json()})
            self._keeper.taken_over(resource)
        for address in self._request.forgotten:
            before = ownership.find((scope.project, scope.server, address))
            entries.append({"address": address, "before": before.to_json() if before else None, "after": None})
        self._write_held(entries, ownership)

    def _write_held(self, entries: List[JSON], ownership: Ownership) -> None:
        if not entries:
            return
        self._journal.append({"record": "held", "entries": entries})
        for entry in entries:
            if isinstance(entry, dict):
                after = entry["after"]
                key = (self._run.project, self._run.server, str(entry["address"]))
                ownership.put(key, after if isinstance(after, dict) else None)

    def _together(self, group: Sequence[Change], ownership: Ownership) -> Dict[Address, JSONObject]:
        """Make these changes under one announcement; returns how each ended, why not well, and what else was changed."""
        ended: Dict[Address, JSONObject] = {}
        due: List[Change] = []
        for change in group:
            if self._done_before(change) or self._kept_by_others(change, ownership):
                ended[change.resource.address] = {"outcome": told.DONE, "error": ""}
            else:
                due.append(change)
        for step in self._act(due, ownership) if due else ():
            ownership.follow(self._run, step)
            self._keeper.touched(image.path for image in step.before)
            self._new_folders.update(step.new_folders)
            if step.outcome != told.SKIPPED:
                self._say(step.change, Stage.FAILED if step.error else Stage.DONE, step.error)
            besides: JSONObject = {"besides": list(step.besides)} if step.besides else {}
            ended[step.change.resource.address] = {"outcome": step.outcome, "error": step.error, **besides}
        return ended

    def _kept_by_others(self, change: Change, ownership: Ownership) -> bool:
        """Whether what left this server's declaration stays, because another server holds it as well."""
        address = str(change.resource.address)
        holding = ownership.find((self._run.project, self._run.server, address))
        if not (holding and change.resource.address not in self._wished and ownership.others(holding.key)):
            return False
        self._say(change, Stage.STARTED)
        self._write_held([{"address": address, "before": holding.to_json(), "after": None}], ownership)
        self._say(change, Stage.DONE, "another server holds it as well: it stays")
        return True

    def _act(self, planned: Sequence[Change], ownership: Ownership) -> Tuple[Step, ...]:
        changes = [self._from_its_beginning(change) for change in planned]
        steps = tuple(self._step(change, ownership) for change in changes)
        work = Work(self._begin_one, leaving=changes[0].resource.address not in self._wished)
        blind = any(untold(change, self._here.context.kinds) for change in changes)
        with self._keeper.watching(self._folders if blind else ()):
            return carry_out(self._here, self._journal, self._images, steps, work=work)

    def _begin_one(self, change: Change) -> None:
        self._say(change, Stage.STARTED)
        self._owe(change)

    def _step(self, change: Change, ownership: Ownership) -> Step:
        self._number += 1
        holding = ownership.find((self._run.project, self._run.server, str(change.resource.address)))
        return Step(
            number=self._number,
            change=change,
            wish=self._wished.get(change.resource.address, change.resource),
            created=bool(holding and holding.created) or change.action is Action.CREATE or self._inherits(change.resource),
            owned=holding.to_json() if holding else None,
            before=(),
            times={},
            inside=self._inside(change),
        )

    def _inside(self, change: Change) -> Dict[str, Tuple[str, ...]]:
        """What the folders of this run hold before an act that may put anything into them: an undo is to know it from a stranger's."""
        known = change.sureness is not Sureness.OPAQUE and self._here.context.kinds[change.resource.address.kind].affected(change)
        return {} if known else {folder: tuple(self._here.system.names(folder)) for folder in sorted(self._new_folders)}

    def _inherits(self, resource: Resource) -> bool:
        """Whether vitrify created a part of this under another address, which it had before: it goes with this one from now on."""
        return not self._inherited.isdisjoint(self._here.context.kinds[resource.address.kind].parts(resource))

    def _from_its_beginning(self, change: Change) -> Change:
        """A restart begins from what is there now, which no plan can know; cut short by itself, from what it began from then."""
        if not self._here.context.kinds[change.resource.address.kind].restarts:
            return change
        begun = next((step.change for step in self._run.steps if step.identity == identity(change)), None)
        return replace(change, before=begun.before if begun else observed(self._here, change.resource).properties)

    def _owe(self, change: Change) -> None:
        """Let whoever listens to this change note that it must be told of it: before it is made."""
        for wish, how in self._listeners.get(change.resource.address, ()):
            self._here.context.kinds[wish.address.kind].owe(wish, how, self._here.system)

    def _done_before(self, change: Change) -> bool:
        """Whether the part of this run that was cut short had done this already."""
        if self._seen.unfinished is None:
            return False
        same = [step for step in self._run.steps if step.left == told.WHOLE and step.identity == identity(change)]
        if not same:
            return False
        return change.sureness is Sureness.OPAQUE or holds(change, observed(self._here, change.resource).properties)

    def _say(self, change: Change, stage: Stage, detail: str = "") -> None:
        data: Dict[str, JSON] = {"action": change.action.value}
        if stage is Stage.STARTED and self._here.context.kinds[change.resource.address.kind].restarts:
            data["boot"] = change.before.get("boot")
        self._here.context.emit(Event("change", stage, str(change.resource.address), detail, data))


CALLS = {"observe": observe, "enact": enact, "undo": undo}
