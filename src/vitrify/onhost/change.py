"""One change, as one step of a run: before-images and intent, the act, what it left."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Dict, Iterable, List, Mapping, Sequence, Tuple

from vitrify.core.diagnostic import TargetFailed, VitrifyError
from vitrify.core.difference import Action, Change, difference
from vitrify.core.digest import JSONObject
from vitrify.core.resource import Address, Kind, Kinds, Resource, Sureness
from vitrify.onhost.faults import failed
from vitrify.onhost.images import Image, Images
from vitrify.onhost.journal import Journal
from vitrify.onhost.observe import holds, left_by, observed
from vitrify.onhost.runs import DONE, FAILED, WHOLE, Step
from vitrify.onhost.scope import Here


def carry_out(here: Here, journal: Journal, images: Images, steps: Sequence[Step], *, leaving: bool) -> Tuple[Step, ...]:
    """Make these changes in one act; returns the steps with their outcomes. More than one are of a kind whose changes go together.

    `leaving`: the resource left the declaration, and a foreign part may stay.
    """
    kind = here.context.kinds[steps[0].change.resource.address.kind]
    begun = []
    for step in steps:
        before = tuple(images.take(path, keep=True) for path in kind.affected(step.change))
        begun.append(replace(step, before=before, times=images.folders(image.path for image in before)))
    ended: List[Step] = []

    def acted() -> List[JSONObject]:
        changes = [step.change for step in begun]
        around = _around(here, kind, changes)
        error = attempt(lambda: act(here, kind, changes))
        ended.extend(_outcome(here, images, step, error=_left_undone(here, step.change, error=error, leaving=leaving)) for step in begun)
        if around:
            ended[0] = replace(ended[0], besides=kind.besides(changes, around, _around(here, kind, changes)))
        return [outcome_record(step) for step in ended]

    journal.step("enact", [_intent_record(step) for step in begun], acted)
    return tuple(ended)


def _around(here: Here, kind: Kind, changes: Sequence[Change]) -> Mapping[str, str]:
    """What may change with these, where the plan could not say; empty where it could, or where this cannot be looked at."""
    found: Dict[str, str] = {}
    if any(change.sureness is Sureness.ASSUMED for change in changes):
        attempt(lambda: found.update(kind.around(here.system)))
    return found


def _left_undone(here: Here, change: Change, *, error: str, leaving: bool) -> str:
    """Why this change is not made; "" where it is. An act that failed may have made some of its changes."""
    if not error:
        return attempt(lambda: check(here, change, leaving=leaving))
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


def _outcome(here: Here, images: Images, step: Step, *, error: str) -> Step:
    left = left_by(here, step.change, paths=len(step.before)) if error else WHOLE
    return seen_after(images, replace(step, outcome=FAILED if error else DONE, left=left, error=error))


def seen_after(images: Images, step: Step) -> Step:
    """The step with what it left, as it is now."""
    paths = tuple(image.path for image in step.before)
    after: Tuple[Image, ...] = tuple(images.take(path, keep=False) for path in paths)
    return replace(step, after=after, times_after=images.folders(paths), made=images.added(step.inside))


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
    for change in changes:
        check(here, change, leaving=False)


def check(here: Here, change: Change, *, leaving: bool) -> None:
    """Raise TargetFailed where a change that was made does not hold."""
    here.system.keep()
    if change.sureness is Sureness.OPAQUE or (leaving and change.action is Action.REMOVE):
        return
    still = difference(change.resource, desired=change.after, seen=observed(here, change.resource))
    if still is not None:
        raise TargetFailed(
            f"{change.resource.address} is not as declared after it was changed",
            why=", ".join(still.because),
            hint="something else changes it as well, or the filesystem does not keep what is set",
        )


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
