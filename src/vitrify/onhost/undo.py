"""Takes back a run from its before-images: contents, modes, owners, times. Killed at any instant, the same call finishes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from vitrify.core.diagnostic import Denied, UsageInvalid
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Event, Stage
from vitrify.onhost.baseline import outer
from vitrify.onhost.change import attempt, left_open, listeners, outcome_record
from vitrify.onhost.context import Context
from vitrify.onhost.copied import sealed_in
from vitrify.onhost.images import Image, Images
from vitrify.onhost.journal import Journal, all_runs
from vitrify.onhost.keeper import Keeper, folders_of, untold
from vitrify.onhost.memory import Holder
from vitrify.onhost.observe import holds, observed
from vitrify.onhost.ownership import Holding, Ownership
from vitrify.onhost.packages_kept import Followed
from vitrify.onhost.runs import DONE, FAILED, INTERRUPTED, WHOLE, Run, Step, last_left
from vitrify.onhost.scope import Here, texts
from vitrify.onhost.testimony import keep

SHOWN = 5


def undo(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `undo`."""
    here = Here.at(context, arguments)
    wanted, force = str(arguments.get("run", "")), arguments.get("force") is True
    if not here.memory.there():
        raise _nothing(here, wanted)
    from vitrify.onhost.leasing import leased  # a look needs none of it

    with leased(here, arguments, reason="undo", operation=wanted) as lease:
        return {**_undone(here, wanted, arguments, force=force), "token": lease.token}


def _undone(here: Here, wanted: str, arguments: JSONObject, *, force: bool) -> JSONObject:
    by = str(arguments.get("by", ""))
    with here.memory.held(Holder(by, wanted), here.context.clock):
        kept = arguments.get("while_kept")
        if isinstance(kept, str) and here.memory.content(kept) is None:
            raise UsageInvalid(f"run {wanted} stands: it was confirmed meanwhile")
        keep(here, arguments)
        chosen = _chosen(here, wanted)
        here = here.again(chosen.kinds)
        run = _end(here, chosen)
        undoing = _Undoing(here, run, sealed=sealed_in(arguments), audited=texts(arguments.get("audited")))
        return undoing.go(by=by, force=force)


def _nothing(here: Here, wanted: str) -> UsageInvalid:
    if wanted:
        return UsageInvalid(
            f"there is no run {wanted!r} of {here.scope.server} to undo", hint="`vitrify status` tells which runs there are"
        )
    return UsageInvalid(f"{here.scope.server} has no run that could be undone")


def _chosen(here: Here, wanted: str) -> Run:
    scope = here.scope
    runs = [run for run in all_runs(here.memory) if (run.project, run.server) == (scope.project, scope.server)]
    found = next((run for run in runs if (run.id == wanted if wanted else not run.undone)), None)
    if found is None or found.undone:
        raise _nothing(here, wanted)
    return found


def _end(here: Here, run: Run) -> Run:
    """A run that was cut short ends here: what it left is looked at and written down."""
    if run.ended:
        return run
    journal, images = Journal(here.memory, run.id, here.context.reached), Images(here.system, here.memory)
    for step in left_open(here, images, run):
        journal.append(outcome_record(step))
    ownership = Ownership.remembered(here.memory, all_runs(here.memory))
    ownership.keep(here.memory)
    journal.append({"record": "end", "at": round(here.context.clock(), 3), "outcome": INTERRUPTED})
    return _chosen(here, run.id)


def leave_undos(here: Here) -> None:
    """A new apply leaves an undo that was cut short where it is: what it put back is owned as it was, the rest stays undoable."""
    runs = all_runs(here.memory)
    scope = here.scope
    open_ones = [run for run in runs if run.undoing and (run.project, run.server) == (scope.project, scope.server)]
    if not open_ones:
        return
    Ownership.remembered(here.memory, runs).keep(here.memory)
    for run in open_ones:
        images = Images(here.system, here.memory)
        for step in run.steps:
            if step.undoing:
                images.clear(image.path for image in step.before)
        Journal(here.memory, run.id, here.context.reached).append({"record": "undo.end", "outcome": INTERRUPTED})


@dataclass(frozen=True)
class _Conflict:
    path: str
    why: str


class _Undoing:
    """The way back of one run: its steps in reverse, each with intent, act and outcome."""

    def __init__(self, here: Here, run: Run, *, sealed: Mapping[str, str], audited: Tuple[str, ...]) -> None:
        self._here = here
        self._run = run
        self._audited = audited
        self._keeper = Keeper(here, sealed)
        self._images = Images(here.system, here.memory)
        self._journal = Journal(here.memory, run.id, here.context.reached)
        kinds = here.context.kinds
        undoable = {step.number: kinds[step.change.resource.address.kind].undoable(step.change) for step in run.made}
        self._listeners = listeners((step.wish for step in run.made), kinds)
        self._steps = tuple(step for step in reversed(run.made) if undoable[step.number] and not step.undone)
        self._skipped = tuple(str(step.change.resource.address) for step in run.made if not undoable[step.number])

    def go(self, *, by: str, force: bool) -> JSONObject:
        """Refuse, unless it is forced, or put everything back."""
        if not force:
            self._refuse_foreign()
        if not self._run.undoing:
            self._journal.append({"record": "undo.begin", "by": by, "at": round(self._here.context.clock(), 3), "force": force})
        self._here.context.reached("undo-run.intent")
        packages = Followed(self._here, self._audited)
        ended = self._each(self._steps)
        kinds = self._here.context.kinds
        failed = [step for step in self._steps if ended[step.number] and kinds[step.change.resource.address.kind].inverse(step.change)]
        if failed and len(failed) < len(self._steps):
            # What stood in the way of a thing without a path may have been taken back after it.
            ended.update(self._each(failed))
        results: List[JSON] = [
            {"address": str(step.change.resource.address), "outcome": FAILED if ended[step.number] else DONE, "error": ended[step.number]}
            for step in self._steps
        ]
        whole = self._tell() and not any(ended.values())
        for step in self._run.steps:
            self._keeper.touched(image.path for image in step.before)
        held = Ownership.remembered(self._here.memory, all_runs(self._here.memory))
        baseline = self._keeper.move_on((), of=self._folders(held))
        packages.move_on()
        self._give_back(whole=whole)
        self._here.context.reached("undo-run.act")
        if whole:
            self._journal.append({"record": "undo.end", "outcome": DONE})
        self._here.context.reached("undo-run.outcome")
        return {"run": self._run.id, "results": results, **baseline, "skipped": list(self._skipped), "stays": [*self._stays()]}

    def _stays(self) -> Iterator[str]:
        """What is in the folders that the run made and that could not go because of it."""
        for folder in sorted({folder for step in self._run.steps for folder in step.new_folders}):
            stat = self._here.system.stat(folder)
            if stat is not None and stat.type == "directory":
                yield from (f"{folder}/{name}" for name in self._here.system.names(folder))

    def _each(self, steps: Sequence[Step]) -> Dict[int, str]:
        """Take back these, one after the other; number of the step -> why it could not be, "" where it was."""
        ended: Dict[int, str] = {}
        for step in steps:
            self._owe(step)
            ended[step.number] = self._one(step)
        return ended

    def _give_back(self, *, whole: bool) -> None:
        """Ownership as it was before the run; `remembered` has followed the steps that were undone."""
        ownership = Ownership.remembered(self._here.memory, all_runs(self._here.memory))
        for held in self._run.held if whole else ():
            ownership.put((self._run.project, self._run.server, held.address), held.before)
        ownership.keep(self._here.memory)

    def _one(self, step: Step) -> str:
        address = str(step.change.resource.address)
        self._say(address, Stage.STARTED)
        error = ""
        resetting = step.resetting if step.undoing else self._to_reset(step)

        def act() -> List[JSONObject]:
            nonlocal error
            error = attempt(lambda: self._put_back(step, resetting))
            return [{"record": "undo.outcome", "step": step.number, "outcome": FAILED if error else DONE, "error": error}]

        self._journal.step("undo", [{"record": "undo.intent", "step": step.number, "resetting": list(resetting)}], act)
        self._say(address, Stage.FAILED if error else Stage.DONE, error)
        return error

    def _owe(self, step: Step) -> None:
        for wish, how in self._listeners.get(step.change.resource.address, ()):
            self._here.context.kinds[wish.address.kind].owe(wish, how, self._here.system)

    def _tell(self) -> bool:
        """Whoever listens to what was put back is told once all of it is: it was taken back before what it listens to."""
        whole = True
        for wish in {wish.address: wish for heard in self._listeners.values() for wish, _ in heard}.values():
            error = attempt(partial(self._here.context.kinds[wish.address.kind].settle, wish, self._here.system))
            if error:
                self._say(str(wish.address), Stage.FAILED, error)
            whole = whole and not error
        return whole

    def _to_reset(self, step: Step) -> Tuple[str, ...]:
        """The folders whose times show that nobody but us wrote to them since."""
        now = self._images.folders(image.path for image in step.before)
        return tuple(folder for folder in sorted(step.times) if now.get(folder) == step.times_after.get(folder))

    def _put_back(self, step: Step, resetting: Tuple[str, ...]) -> None:
        if step.undoing:  # a killed process may have been at it already
            self._images.clear(image.path for image in step.before)
        self._images.put_back(step.before)
        self._images.set_times({folder: step.times[folder] for folder in resetting})
        kind, system = self._here.context.kinds[step.change.resource.address.kind], self._here.system
        inverse = kind.inverse(step.change)
        if inverse is not None:
            blind = untold(step.change, self._here.context.kinds)
            held = Ownership.remembered(self._here.memory, all_runs(self._here.memory)) if blind else ()
            with self._keeper.watching(outer(self._folders(held)) if blind else ()):
                kind.enact(inverse, system)
        kind.settle(step.change.resource, system)

    def _folders(self, held: Iterable[Holding]) -> Tuple[str, ...]:
        """Those that the project makes its own, and those that are only audited."""
        return (*folders_of(self._run.project, held), *self._audited)

    def _refuse_foreign(self) -> None:
        conflicts = list(self._conflicts())
        if not conflicts:
            return
        shown = "; ".join(f"{conflict.path} {conflict.why}" for conflict in conflicts[:SHOWN])
        more = f"; and {len(conflicts) - SHOWN} more" if len(conflicts) > SHOWN else ""
        raise Denied(
            f"run {self._run.id} is not undone: something was changed after it",
            why=shown + more,
            hint="undo the later run first, or add --force: what was changed since is lost then",
        )

    def _conflicts(self) -> Iterator[_Conflict]:
        yield from self._moved_on()
        under_way = {image.path for step in self._steps if step.undoing for image in step.before}
        before = {image.path: image for step in self._steps for image in step.before}
        left = last_left(reversed(self._steps))
        for path in sorted(set(left) - under_way):
            now = self._images.take(path, keep=False)
            if not (now.same(left[path]) or now.same(before[path])):
                yield _Conflict(path, "was changed" if not now.missing else "was removed")
            elif before[path].missing and now.type == "directory":
                yield from self._foreign(path, left)

    def _moved_on(self) -> Iterator[_Conflict]:
        """Things without a path that are neither as the run left them nor as they were."""
        for step in self._steps:
            if step.before or step.undoing or step.left != WHOLE:
                continue
            if self._here.context.kinds[step.change.resource.address.kind].inverse(step.change) is None:
                continue  # nothing of it is taken back: it only waited
            now = observed(self._here, step.change.resource).properties
            before = step.change.before
            if not (holds(step.change, now) or all(now.get(name) == before.get(name) for name in step.change.after)):
                yield _Conflict(str(step.change.resource.address), "was changed")

    def _foreign(self, folder: str, left: Dict[str, Image]) -> Iterator[_Conflict]:
        """What somebody put into a folder that will have to go."""
        ours: Set[str] = {path for path, image in left.items() if not image.missing}
        ours.update(path for step in self._run.steps for path in step.made)
        for name in self._here.system.names(folder):
            path = f"{folder.rstrip('/')}/{name}"
            if path not in ours:
                yield _Conflict(path, "was added")

    def _say(self, address: str, stage: Stage, detail: Optional[str] = "") -> None:
        self._here.context.emit(Event("undo", stage, address, detail or ""))
