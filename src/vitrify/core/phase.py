"""Where a rollout stands and what may come next: the one table that every step of one is checked against. Pure.

A rollout only ever goes forward, until it ends or is taken back. A command that goes on with one walks the same path again, and steps
that were passed before are not written down a second time: what is durable never goes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from vitrify.core.diagnostic import IntegrityFailed, VitrifyError


class Phase(Enum):
    """A place on the way; the value is the step that leads to it, as it is kept in the state."""

    PREPARED = "begin"
    PAUSED = "pause"
    EMPTIED = "stop"
    LAUNCHED = "launch"
    GATED = "gate"
    PREVIEWED = "preview"
    CANARY = "canary"
    WAITING = "wait"
    PROMOTED = "promote"
    ROLLING = "roll"
    SWITCHED = "switch"
    PROVEN = "probation"
    DRAINED = "drain"
    RETIRED = "retire"
    SWITCHED_BACK = "switch_back"
    ABORTED = "abort"

    @property
    def spoken(self) -> str:
        """The phase in words, as `status` tells it."""
        return _SPOKEN[self]


_SPOKEN: Mapping[Phase, str] = {
    Phase.PREPARED: "prepared",
    Phase.PAUSED: "requests are held",
    Phase.EMPTIED: "the old instances are stopped",
    Phase.LAUNCHED: "launched",
    Phase.GATED: "gated",
    Phase.PREVIEWED: "to be previewed",
    Phase.CANARY: "on trial",
    Phase.WAITING: "waiting",
    Phase.PROMOTED: "promoted",
    Phase.ROLLING: "rolling",
    Phase.SWITCHED: "switched",
    Phase.PROVEN: "proven",
    Phase.DRAINED: "drained",
    Phase.RETIRED: "retired",
    Phase.SWITCHED_BACK: "switched back",
    Phase.ABORTED: "aborted",
}

BACK = frozenset({Phase.SWITCHED_BACK, Phase.ABORTED})
"""Where a rollout is being taken back."""
SETTLED = frozenset({Phase.DRAINED, Phase.RETIRED})
"""From here on the old instances may be gone: there is no way back but another rollout."""
TRAFFIC = frozenset({Phase.SWITCHED, Phase.PROVEN, *SETTLED})
"""All requests go to what is new."""

FOLLOWS: Mapping[Phase, frozenset[Phase]] = {
    Phase.PREPARED: frozenset({Phase.PAUSED, Phase.LAUNCHED, Phase.ROLLING, Phase.ABORTED}),
    Phase.PAUSED: frozenset({Phase.EMPTIED, *BACK}),
    Phase.EMPTIED: frozenset({Phase.LAUNCHED, *BACK}),
    Phase.LAUNCHED: frozenset({Phase.GATED, *BACK}),
    Phase.GATED: frozenset({Phase.PREVIEWED, Phase.CANARY, Phase.WAITING, Phase.SWITCHED, *BACK}),
    Phase.PREVIEWED: frozenset({Phase.CANARY, Phase.WAITING, Phase.SWITCHED, *BACK}),
    Phase.CANARY: frozenset({Phase.CANARY, Phase.WAITING, Phase.PROMOTED, Phase.SWITCHED, *BACK}),
    Phase.WAITING: frozenset({Phase.PROMOTED, *BACK}),
    Phase.PROMOTED: frozenset({Phase.CANARY, Phase.WAITING, Phase.SWITCHED, *BACK}),
    Phase.ROLLING: frozenset({Phase.ROLLING, Phase.SWITCHED, *BACK}),
    Phase.SWITCHED: frozenset({Phase.PROVEN, Phase.SWITCHED_BACK}),
    Phase.PROVEN: frozenset({Phase.DRAINED, Phase.SWITCHED_BACK}),
    Phase.DRAINED: frozenset({Phase.RETIRED}),
    Phase.RETIRED: frozenset(),
    Phase.SWITCHED_BACK: frozenset({Phase.ABORTED}),
    Phase.ABORTED: frozenset(),
}
"""Which phase may follow which."""

ENDS = frozenset({Phase.RETIRED, Phase.ABORTED})
"""Where an operation may be closed."""

_INTENT = ".intent"


@dataclass(frozen=True)
class Standing:
    """Where a rollout stands: its phase was reached, or (`begun`) the step to it was announced and perhaps done."""

    phase: Phase
    begun: bool = False

    @classmethod
    def of(cls, step: str) -> Standing:
        """Read what is kept in the state: a step, or its intent."""
        name, begun = (step.removesuffix(_INTENT), True) if step.endswith(_INTENT) else (step or Phase.PREPARED.value, False)
        known = {phase.value: phase for phase in Phase}
        if name not in known:
            hint = "use the newer vitrify that began it"
            raise VitrifyError(f"a rollout stands at {step!r}, which this vitrify does not know", hint=hint)
        return cls(known[name], begun)

    def is_at(self, *phases: Phase) -> bool:
        """Whether it stands at one of these, and the step to it is done."""
        return self.phase in phases and not self.begun

    @property
    def settled(self) -> bool:
        """Whether there is no way back any more."""
        return self.phase in SETTLED

    @property
    def taken_back(self) -> bool:
        """Whether it is being taken back: it does not go forward any more."""
        return self.phase in BACK

    @property
    def switched(self) -> bool:
        """Whether the switch was done for sure."""
        return self.phase in TRAFFIC and not (self.begun and self.phase is Phase.SWITCHED)

    def leads(self, to: Phase) -> bool:
        """Whether `to` is a step forward, to be written down; not, where it was passed before. IntegrityFailed where it cannot follow."""
        if to in self._next():
            return True
        if self.phase is to or _lies_behind(to, self.phase):
            return False
        raise IntegrityFailed(
            f"a rollout that is {self.phase.spoken} cannot go on to be {to.spoken}",
            why=f"{to.value} does not follow {self.phase.value}",
            hint="this is a fault of vitrify: please report it; `vitrify abort` takes the rollout back",
        )

    def _next(self) -> frozenset[Phase]:
        if not self.begun:
            return FOLLOWS[self.phase]
        # What was only announced is announced again, or taken back as if it were done, or as if it were not.
        before = frozenset[Phase]().union(*(after for after in FOLLOWS.values() if self.phase in after))
        return frozenset({self.phase}) | ((FOLLOWS[self.phase] | before) & BACK if self.phase not in BACK | SETTLED else frozenset())


def _lies_behind(phase: Phase, now: Phase) -> bool:
    """Whether a rollout that stands at `now` can have come by `phase`."""
    seen: set[Phase] = set()
    ahead = {phase}
    while ahead - seen:
        seen |= ahead
        ahead = {after for one in ahead for after in FOLLOWS[one]} - BACK
    return now in seen


BECOMES: Mapping[str, frozenset[str]] = {
    "prepared": frozenset({"live", "aborted", "discarded"}),
    "live": frozenset({"live", "warm", "stopped", "discarded"}),
    "warm": frozenset({"live", "warm", "stopped", "discarded"}),
    "stopped": frozenset({"live", "stopped", "discarded"}),
    "aborted": frozenset({"aborted", "discarded"}),
    "discarded": frozenset({"discarded"}),
}
"""Which state of a release may follow which, when an operation is closed: nothing that is over comes back by itself."""


def refuse_leap(server: str, number: int, *, before: str, after: str, joins: bool = False) -> None:
    """VitrifyError where a release in one state cannot come into the other.

    What is over on one host may still be live on another: where the host `joins` the other, it comes back.
    """
    if after not in BECOMES:
        raise VitrifyError(f"{after!r} is not a state of a release")
    if after not in BECOMES[before] and not (joins and after == "live"):
        raise IntegrityFailed(f"release {number} of {server} is {before}, and cannot become {after}")
