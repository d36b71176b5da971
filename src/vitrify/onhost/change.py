"""Changes as steps of a run: before-images and intents, the acts, what they left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Callable, Dict, Iterable, List, Mapping, Sequence, Tuple

from vitrify.core.diagnostic import TargetFailed, VitrifyError
from vitrify.core.difference import Action, Change, difference
from vitrify.core.digest import JSONObject
from vitrify.core.resource import Address, Kind, Kinds, Resource, Sureness
from vitrify.onhost.faults import failed
from vitrify.onhost.images import Images
from vitrify.onhost.journal import Journal
from vitrify.onhost.observe import holds, left_by, observed, observed_all, settled
from vitrify.onhost.runs import DONE, FAILED, NOTHING, SKIPPED, WHOLE, Run, Step, in_a_row
from vitrify.onhost.scope import Here


@dataclass(frozen=True)
class Work:
    """How changes are made: `begin` is called before each of them. `leaving`: they left the declaration, and foreign parts may stay."""

    begin: Callable[[Change], None]
    leaving: bool


def carry_out(here: Here, journal: Journal, images: Images, steps: Sequence[Step], *, work: Work) -> Tuple[Step, ...]:
    """Make these changes under one announcement; returns the steps with their outcomes.

    Those of a kind that goes `together` are made in one act. Others are made one by one: behind one that fails the rest is passed over.
    """
    kind = here.context.kinds[steps[0].change.resource.address.kind]
    begun = _looked_at(here, images, steps)
    ended: List[Step] = []

    def acted() -> List[JSONObject]:
        changes = [step.change for step in begun]
        around = _around(here, kind, changes)
        errors = _at_once(here, kind, begun, work) if kind.together else _one_by_one(here, begun, work)
        ended.extend(_outcomes(here, images, begun, errors))
        if around:
            ended[0] = replace(ended[0], besides=kind.besides(changes, around, _around(here, kind, changes)))
        return [outcome_record(step) for step in ended]

    journal.step("enact", [_intent_record(step) for step in begun], acted)
    return tuple(ended)


def _looked_at(here: Here, images: Images, steps: Sequence[Step]) -> Tuple[Step, ...]:
    """The steps with what is at their paths now, its content durable."""
    kinds = here.context.kinds
    before = [
        tuple(images.take(path, keep=True) for path in kinds[step.change.resource.address.kind].affected(step.change)) for step in steps
    ]
    images.settle()
    times = images.times(before)
    return tuple(replace(step, before=found, times=then) for step, found, then in zip(steps, before, times))  # noqa: B905  Python 3.9


def _at_once(here: Here, kind: Kind, steps: Sequence[Step], work: Work) -> Dict[int, str]:
    """Number of the step -> why its change is not made, "" where it is. An act that failed may have made some of its changes."""
    for step in steps:
        work.begin(step.change)
    changes = [step.change for step in steps]
    still: Dict[Address, TargetFailed] = {}

    def made() -> None:
        act(here, kind, changes)
        here.system.keep()
        still.update(wanting(here, changes, leaving=work.leaving))

    error = attempt(made)
    if error:
        return {step.number: _left_undone(here, step.change, error) for step in steps}
    return {step.number: str(still.get(step.change.resource.address, "")) for step in steps}


def _one_by_one(here: Here, steps: Sequence[Step], work: Work) -> Dict[int, str]:
    """The same; a step that nobody came to is not in it. What was written is durable once this returns."""
    errors: Dict[int, str] = {}
    for step in steps:
        work.begin(step.change)
        error = attempt(partial(_made, here, step.change, leaving=work.leaving))
        errors[step.number] = _left_undone(here, step.change, error) if error else ""
        if len(steps) > 1:
            here.context.reached("each.act")
        if errors[step.number]:
            break
    broken = attempt(here.system.keep)
    return {number: error or broken for number, error in errors.items()}


def _made(here: Here, change: Change, *, leaving: bool) -> None:
    act(here, here.context.kinds[change.resource.address.kind], [change])
    for still in wanting(here, [change], leaving=leaving).values():
        raise still


def _around(here: Here, kind: Kind, changes: Sequence[Change]) -> Mapping[str, str]:
    """What may change with these, where the plan could not say; empty where it could, or where this cannot be looked at."""
    found: Dict[str, str] = {}
    if any(change.sureness is Sureness.ASSUMED for change in changes):
        attempt(lambda: found.update(kind.around(here.system)))
    return found


def _left_undone(here: Here, change: Change, error: str) -> str:
    """The error, unless everything that the change wishes for is there all the same."""
    held = change.sureness is not Sureness.OPAQUE and holds(change, observed(here, change.resource).properties)
    return "" if held else error


def _intent_record(step: Step) -> JSONObject:
    return {
        "record": "intent",
        "step": step.number,
        "change": step.change.to_json(),
        "wish": step.wish.to_json(),
        "created": step.created,
        "owned": step.owned,
        "before": [image.to_json() for image in step.before],
        "times": dict(step.times),
        "inside": {folder: list(names) for folder, names in step.inside.items()},
    }


def _outcomes(here: Here, images: Images, steps: Sequence[Step], errors: Mapping[int, str]) -> Tuple[Step, ...]:
    """How each ended, with what is at its paths by now."""
    after = [tuple(images.take(image.path, keep=False) for image in step.before) for step in steps]
    ended = []
    for step, found, now in zip(steps, after, images.times(after)):  # noqa: B905  Python 3.9; one for each
        error = errors.get(step.number)
        outcome = SKIPPED if error is None else FAILED if error else DONE
        left = NOTHING if error is None else left_by(here, step.change, paths=len(found)) if error else WHOLE
        made = images.added(step.inside)
        ended.append(replace(step, outcome=outcome, left=left, error=error or "", after=found, times_after=now, made=made))
    return in_a_row(ended)


def left_open(here: Here, images: Images, run: Run) -> Tuple[Step, ...]:
    """The steps whose process ended before it could say how they ended, with the outcome that a look shows; its leftovers go."""
    steps = settled(here, run)
    for step in steps:
        images.clear(image.path for image in step.before)
    after = [tuple(images.take(image.path, keep=False) for image in step.before) for step in steps]
    times = images.times(after)
    ended = zip(steps, after, times)  # noqa: B905  Python 3.9; one for each
    return in_a_row([replace(step, after=now, times_after=then, made=images.added(step.inside)) for step, now, then in ended])


def outcome_record(step: Step) -> JSONObject:
    """The line of the journal that says how a step ended."""
    return {
        "record": "outcome",
        "step": step.number,
        "outcome": step.outcome,
        "left": step.left,
        "error": step.error,
        "after": [image.to_json() for image in step.after],
        "times": dict(step.times_after),
        "made": list(step.made),
    }


def act(here: Here, kind: Kind, changes: Sequence[Change]) -> None:
    """Let the kind make these changes, all at once where there are several."""
    if len(changes) == 1:
        kind.enact(changes[0], here.system)
    elif changes:
        kind.enact_all(changes, here.system)


def make_true(here: Here, kind: Kind, changes: Sequence[Change]) -> None:
    """Let the kind act, then look whether it did."""
    act(here, kind, changes)
    here.system.keep()
    for still in wanting(here, changes, leaving=False).values():
        raise still


def wanting(here: Here, changes: Sequence[Change], *, leaving: bool) -> Dict[Address, TargetFailed]:
    """The changes that were made and do not hold, each with what to say of it."""
    told = [change for change in changes if not (change.sureness is Sureness.OPAQUE or (leaving and change.action is Action.REMOVE))]
    found: Dict[Address, TargetFailed] = {}
    for change, seen in zip(told, observed_all(here, [change.resource for change in told])):  # noqa: B905  Python 3.9; one for each
        still = difference(change.resource, desired=change.after, seen=seen)
        if still is not None:
            found[change.resource.address] = TargetFailed(
                f"{change.resource.address} is not as declared after it was changed",
                why=", ".join(still.because),
                hint="something else changes it as well, or the filesystem does not keep what is set",
            )
    return found


def listeners(wishes: Iterable[Resource], kinds: Kinds) -> Dict[Address, List[Tuple[Resource, str]]]:
    """Address -> the wishes that must be told when it changes, each with how."""
    found: Dict[Address, List[Tuple[Resource, str]]] = {}
    for wish in wishes:
        if not wish.absent:
            for address, how in kinds[wish.address.kind].listens(wish).items():
                found.setdefault(address, []).append((wish, how))
    return found


def attempt(act: Callable[[], None]) -> str:
    """Do it; "" where it went well, else the error in words. The end of the channel is not caught: then there is nobody to tell."""
    try:
        act()
    except VitrifyError as error:
        return str(error)
    except EOFError:
        raise
    except OSError as error:
        return str(failed(error, "the target refused"))
    except Exception as error:  # noqa: BLE001  a mistake in a kind must not leave a run without its outcome
        return str(TargetFailed("internal error", why=f"{type(error).__name__}: {error}", hint="please report this"))
    return ""
