"""One change, as one step of a run: before-images and intent, the act, what it left."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Tuple

from vitrify.core.diagnostic import TargetFailed, VitrifyError
from vitrify.core.difference import Action, Change, difference
from vitrify.core.digest import JSONObject
from vitrify.core.resource import Sureness
from vitrify.onhost.faults import failed
from vitrify.onhost.images import Image, Images
from vitrify.onhost.journal import Journal
from vitrify.onhost.observe import left_by, observed
from vitrify.onhost.runs import DONE, FAILED, WHOLE, Step
from vitrify.onhost.scope import Here


def carry_out(here: Here, journal: Journal, images: Images, step: Step, *, leaving: bool) -> Step:
    """Do it; returns the step with its outcome. `leaving`: the resource left the declaration, and a foreign part may stay."""
    change = step.change
    paths = here.context.kinds[change.resource.address.kind].affected(change)
    before = tuple(images.take(path, keep=True) for path in paths)
    step = replace(step, before=before, times=images.folders(paths))
    ended = [step]

    def act() -> JSONObject:
        error = attempt(lambda: make_true(here, change, leaving=leaving))
        ended[0] = _outcome(here, images, step, error=error)
        return _outcome_record(ended[0])

    journal.step("enact", _intent_record(step), act)
    return ended[0]


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
    }


def _outcome(here: Here, images: Images, step: Step, *, error: str) -> Step:
    paths = tuple(image.path for image in step.before)
    after: Tuple[Image, ...] = tuple(images.take(path, keep=False) for path in paths)
    left = left_by(here, step.change, paths=len(paths)) if error else WHOLE
    return replace(step, outcome=FAILED if error else DONE, left=left, error=error, after=after, times_after=images.folders(paths))


def _outcome_record(step: Step) -> JSONObject:
    return {
        "record": "outcome",
        "step": step.number,
        "outcome": step.outcome,
        "left": step.left,
        "error": step.error,
        "after": [image.to_json() for image in step.after],
        "times": dict(step.times_after),
    }


def make_true(here: Here, change: Change, *, leaving: bool) -> None:
    """Let the kind act, then look whether it did."""
    kind = here.context.kinds[change.resource.address.kind]
    kind.enact(change, here.system)
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
