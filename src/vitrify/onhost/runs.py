"""A run as its journal tells it: what was begun, each step's intent and outcome, what was undone. Reading only; pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from vitrify.core.difference import Change
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.resource import Resource
from vitrify.core.stranger import Reference
from vitrify.onhost.images import Image
from vitrify.onhost.memory import damaged, refuse_newer

WHOLE, PART, NOTHING = "whole", "part", "nothing"
"""How much of a change is in place after its step."""

DONE, FAILED, INTERRUPTED, SKIPPED = "done", "failed", "interrupted", "skipped"


@dataclass(frozen=True)
class Held:
    """One entry of the ownership table before a run touched it, and after; None where there was (or is) none."""

    address: str
    before: Optional[JSONObject]
    after: Optional[JSONObject]


@dataclass(frozen=True)
class Step:
    """One change of a run."""

    number: int
    change: Change
    wish: Resource
    """The resource as it is declared (or was, where it left)."""
    created: bool
    """Whether what is there will be vitrify's own once the change is made."""
    owned: Optional[JSONObject]
    """The ownership entry before."""
    before: Tuple[Image, ...]
    times: Mapping[str, int]
    """When the folders around were last written to before."""
    inside: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)
    """Of an act whose paths nobody knows beforehand: the folders that its run had made, and what was in them before."""
    outcome: str = ""
    left: str = ""
    error: str = ""
    after: Tuple[Image, ...] = ()
    times_after: Mapping[str, int] = field(default_factory=dict)
    made: Tuple[str, ...] = ()
    """What it put into those folders."""
    besides: Tuple[str, ...] = ()
    """What else its act changed and no plan could foresee, in words; of several steps in one act the first has it. Not written down."""
    undoing: bool = False
    resetting: Tuple[str, ...] = ()
    """The folders whose times the undo under way will set back."""
    undone: bool = False

    @property
    def pending(self) -> bool:
        """Whether nobody wrote down how the step ended."""
        return not self.outcome

    @property
    def new_folders(self) -> Tuple[str, ...]:
        """The folders that it made."""
        missing = {image.path for image in self.before if image.missing}
        return tuple(image.path for image in self.after if image.type == "directory" and image.path in missing)

    @property
    def identity(self) -> str:
        """Equal for the same change of the same resource."""
        return identity(self.change)


def identity(change: Change) -> str:
    """What makes two changes the same one: the wish and the values to set."""
    return digest_of({"resource": change.resource.to_json(), "after": dict(change.after)})


@dataclass(frozen=True)
class Run:
    """One apply on this target."""

    id: str
    project: str
    server: str
    by: str
    at: float
    sequence: int
    expect: str
    observed: Mapping[str, JSON]
    steps: Tuple[Step, ...] = ()
    held: Tuple[Held, ...] = ()
    """What came under management, or left it, without being touched."""
    ended: str = ""
    undoing: bool = False
    """Whether an undo was begun and neither finished nor left."""
    undone: bool = False
    kinds: Tuple[Reference, ...] = ()
    """The kinds of others that its changes were made with."""

    @property
    def state(self) -> str:
        """done, failed, interrupted, unfinished or undone."""
        return "undone" if self.undone else self.ended or "unfinished"

    @property
    def made(self) -> Tuple[Step, ...]:
        """The steps that were not passed over."""
        return tuple(step for step in self.steps if step.outcome != SKIPPED)

    def summary(self) -> JSONObject:
        """One row of `status`."""
        found: JSONObject = {"run": self.id, "by": self.by, "at": self.at, "state": self.state, "changes": len(self.made)}
        return {**found, "kinds": [reference.name for reference in self.kinds]} if self.kinds else found


def read_run(content: bytes, path: str) -> Optional[Run]:
    """The run that these lines tell; None where it never began. A torn last line was never acted on, and is left out."""
    reading: Optional[_Reading] = None
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            record = json.loads(line)
            if reading is None:
                refuse_newer(record, path)
                reading = _Reading(_begin(record))
            else:
                reading.take(record)
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(path, f"line {number}: {error!r}") from None
    return reading.run() if reading else None


def _begin(record: JSONObject) -> Run:
    return Run(
        id=str(record["run"]),
        project=str(record["project"]),
        server=str(record["server"]),
        by=str(record["by"]),
        at=float(str(record["at"])),
        sequence=int(str(record["sequence"])),
        expect=str(record["expect"]),
        observed=_object(record["observed"]),
    )


class _Reading:
    """A run while its lines are read, one after the other."""

    def __init__(self, begun: Run) -> None:
        self._run = begun
        self._steps: Dict[int, Step] = {}
        self._held: List[Held] = []

    def run(self) -> Run:
        """The run as told so far."""
        return replace(self._run, steps=tuple(self._steps.values()), held=tuple(self._held))

    def take(self, record: JSONObject) -> None:
        """One more line."""
        what = str(record["record"])
        if what == "held":
            self._held += [_held(_object(entry)) for entry in _list(record["entries"])]
        elif what in _RUN:
            self._run = _RUN[what](self._run, record)
        else:
            number = int(str(record["step"]))
            self._steps[number] = _intent(number, record) if what == "intent" else _STEP[what](self._steps[number], record)


def _held(entry: JSONObject) -> Held:
    return Held(str(entry["address"]), _optional(entry["before"]), _optional(entry["after"]))


def _intent(number: int, record: JSONObject) -> Step:
    return Step(
        number=number,
        change=Change.from_json(_object(record["change"])),
        wish=Resource.from_json(_object(record["wish"])),
        created=record["created"] is True,
        owned=_optional(record["owned"]),
        before=_images(record["before"]),
        times=_times(record["times"]),
        inside={folder: _names(names) for folder, names in _object(record.get("inside", {})).items()},
    )


def _outcome(step: Step, record: JSONObject) -> Step:
    return replace(
        step,
        outcome=str(record["outcome"]),
        left=str(record["left"]),
        error=str(record["error"]),
        after=_images(record["after"]),
        times_after=_times(record["times"]),
        made=_names(record.get("made", [])),
    )


_RUN: Dict[str, Callable[[Run, JSONObject], Run]] = {
    "end": lambda run, record: replace(run, ended=str(record["outcome"])),
    "kinds": lambda run, record: replace(run, kinds=_kinds(run, record)),
    "undo.begin": lambda run, _: replace(run, undoing=True),
    "undo.end": lambda run, record: replace(run, undoing=False, undone=record["outcome"] == DONE),
}
_STEP: Dict[str, Callable[[Step, JSONObject], Step]] = {
    "outcome": _outcome,
    "undo.intent": lambda step, record: replace(step, undoing=True, resetting=tuple(str(path) for path in _list(record["resetting"]))),
    "undo.outcome": lambda step, record: replace(step, undoing=False, undone=record["outcome"] == DONE),
}


def _kinds(run: Run, record: JSONObject) -> Tuple[Reference, ...]:
    """Those of a run that was continued take the place of those that it began with."""
    found = (*run.kinds, *(Reference.from_json(_object(item)) for item in _list(record["kinds"])))
    return tuple({reference.name: reference for reference in found}.values())


def _object(data: JSON) -> JSONObject:
    if not isinstance(data, dict):
        raise TypeError("not an object")
    return data


def _optional(data: JSON) -> Optional[JSONObject]:
    return None if data is None else _object(data)


def _list(data: JSON) -> List[JSON]:
    if not isinstance(data, list):
        raise TypeError("not a list")
    return data


def _images(data: JSON) -> Tuple[Image, ...]:
    return tuple(Image.from_json(_object(item)) for item in _list(data))


def _names(data: JSON) -> Tuple[str, ...]:
    return tuple(str(name) for name in _list(data))


def _times(data: JSON) -> Dict[str, int]:
    return {path: int(str(stamp)) for path, stamp in _object(data).items()}


def in_a_row(steps: Sequence[Step]) -> Tuple[Step, ...]:
    """Steps that were looked at together, each with the folders' times that an undo finds once it has taken back the one after it.

    Together they were announced, so all have the times before the first; only of the last that touches a folder did it stay as found.
    """
    found: List[Step] = []
    following: Dict[str, int] = {}
    for step in reversed(steps):
        found.append(replace(step, times_after={**step.times_after, **{at: following[at] for at in step.times_after if at in following}}))
        following.update(step.times)
    return tuple(reversed(found))


def last_left(steps: Iterable[Step]) -> Dict[str, Image]:
    """What these steps, in order, left at each path."""
    found: Dict[str, Image] = {}
    for step in steps:
        found.update({image.path: image for image in step.after})
    return found


def newest_first(runs: Iterable[Run]) -> List[Run]:
    """The youngest run first."""
    return sorted(runs, key=lambda run: run.sequence, reverse=True)
