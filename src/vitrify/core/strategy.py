"""How requests move from what is old to what is new: the words of a declaration for it, and what each costs. Pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from vitrify.core.batch import Share
from vitrify.core.digest import JSON, JSONObject

BLUE_GREEN, CANARY, ROLLING, RECREATE = STRATEGIES = ("blue-green", "canary", "rolling", "recreate")

_WEIGHT = re.compile(r"([0-9]{1,3})%(?: for ([0-9]{1,9})(s|m|h))?")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Weight:
    """One step of a canary: so many of a hundred requests, for so many seconds; until somebody promotes it where `hold` is None."""

    percent: int
    hold: float | None = None

    @classmethod
    def parse(cls, text: str) -> Weight | None:
        """`5% for 10m`, or `5%`; None where it is neither."""
        match = _WEIGHT.fullmatch(text)
        if match is None:
            return None
        return cls(int(match[1]), int(match[2]) * _UNITS[match[3]] if match[2] else None)

    def __str__(self) -> str:
        return f"{self.percent}%" if self.hold is None else f"{self.percent}% for {_spoken(self.hold)}"


def _spoken(seconds: float) -> str:
    unit = next((unit for unit in ("h", "m") if seconds and seconds % _UNITS[unit] == 0), "s")
    return f"{seconds / _UNITS[unit]:g}{unit}"


@dataclass(frozen=True)
class Bounds:
    """What the answers of a canary must be like: `errors` (a share of 1) and `p95` (seconds) at most, and `command` must succeed.

    Fewer answers than `requests` prove nothing.
    """

    errors: float | None = None
    p95: float | None = None
    requests: int = 20
    command: tuple[str, ...] = ()

    def to_json(self) -> JSONObject:
        """The form that is kept with a release."""
        return {
            "errors_ppm": None if self.errors is None else round(self.errors * 1_000_000),
            "p95_ms": None if self.p95 is None else round(self.p95 * 1000),
            "requests": self.requests,
            "command": list(self.command),
        }

    @classmethod
    def from_json(cls, data: JSONObject) -> Bounds:
        """Read what `to_json` wrote."""
        errors, p95, requests, command = (data.get(name) for name in ("errors_ppm", "p95_ms", "requests", "command"))
        return cls(
            errors=errors / 1_000_000 if isinstance(errors, int) else None,
            p95=p95 / 1000 if isinstance(p95, int) else None,
            requests=requests if isinstance(requests, int) else 20,
            command=tuple(map(str, command)) if isinstance(command, list) else (),
        )


_ONE, _NONE = Share(1), Share(0)
DEFAULT_STEPS = (Weight(10, 300.0), Weight(50, 300.0))


@dataclass(frozen=True)
class Manner:
    """All of a rollout that not every strategy has."""

    steps: tuple[Weight, ...] = DEFAULT_STEPS
    """Of a canary; after the last one everybody gets what is new."""
    gate: Bounds | None = None
    max_surge: Share = _ONE
    """Of rolling: so many instances more than declared, at a time."""
    max_unavailable: Share = _NONE
    """Of rolling: so many fewer."""
    pause: float = 30.0
    """Of recreate: seconds for which a request is held at most, while nothing runs."""
    manual: bool = False
    """Whether a release waits for somebody to promote it, before it gets any request."""
    preview: str = ""
    """The host name, or the address to listen on, that leads to what is next."""

    def to_json(self) -> JSONObject:
        """Only what is said: a release from before these words were there is the same release."""
        usual = Manner()
        said: JSONObject = {
            "steps": [str(step) for step in self.steps] if self.steps != usual.steps else None,
            "gate": self.gate.to_json() if self.gate else None,
            "max_surge": str(self.max_surge) if self.max_surge != usual.max_surge else None,
            "max_unavailable": str(self.max_unavailable) if self.max_unavailable != usual.max_unavailable else None,
            "pause_ms": round(self.pause * 1000) if self.pause != usual.pause else None,
            "manual": True if self.manual else None,
            "preview": self.preview or None,
        }
        return {name: value for name, value in said.items() if value is not None}

    @classmethod
    def from_json(cls, data: JSONObject) -> Manner:
        """Read what `to_json` wrote."""
        usual, gate, pause, steps = cls(), data.get("gate"), data.get("pause_ms"), data.get("steps")
        weights = [Weight.parse(str(step)) for step in steps] if isinstance(steps, list) else list(usual.steps)
        return cls(
            steps=tuple(weight for weight in weights if weight),
            gate=Bounds.from_json(gate) if isinstance(gate, dict) else None,
            max_surge=_share(data.get("max_surge"), usual.max_surge),
            max_unavailable=_share(data.get("max_unavailable"), usual.max_unavailable),
            pause=pause / 1000 if isinstance(pause, int) else usual.pause,
            manual=data.get("manual") is True,
            preview=str(data.get("preview") or ""),
        )

    @property
    def previewed_on_its_own(self) -> bool:
        """Whether the preview is an address to listen on, not a host name."""
        return ":" in self.preview

    def surge(self, replicas: int) -> int:
        """How many instances more than declared may run at a time; one at least where none may be lacking."""
        found = self.max_surge
        extra = math.ceil(replicas * found.value / 100) if found.percent else found.value
        return max(extra, 0 if self.lacking(replicas) else 1)

    def lacking(self, replicas: int) -> int:
        """How many may be lacking; never all of them."""
        return min(self.max_unavailable.of(replicas), replicas - 1)


def _share(value: JSON, usual: Share) -> Share:
    return (Share.parse(value) if isinstance(value, str) else None) or usual


@dataclass(frozen=True)
class Course:
    """How requests will be moved, and what that takes; an empty strategy where none are."""

    strategy: str = ""
    peak: int = 0
    """How many instances more than now run at the same time, at most."""
    told: tuple[str, ...] = ()
    """What will happen, in words, a line each."""

    def to_json(self) -> JSONObject:
        """The form in a plan."""
        return {"strategy": self.strategy, "peak": self.peak, "course": [*self.told]} if self.strategy else {}


def strategy_of(declared: str, kind: str, *, live: bool, route: bool) -> str:
    """The strategy that an operation goes by. Where nothing is live there is nothing to go on from, and who goes back is in a hurry."""
    if declared == RECREATE and live:
        return declared  # two of them at once would do harm, whatever it is that is done
    suited = {CANARY: route, ROLLING: True}.get(declared, False)
    return declared if kind == "release" and live and suited else BLUE_GREEN


def peak(strategy: str, manner: Manner, *, replicas: int, launch: int) -> int:
    """How many instances more than declared run at the same time, at most."""
    return {ROLLING: min(manner.surge(replicas), launch), RECREATE: 0}.get(strategy, launch)


def outline(strategy: str, manner: Manner, *, replicas: int) -> tuple[str, ...]:
    """What will happen, in words, a line each."""
    waits = ("waits for `vitrify promote` before it gets any request",) if manner.manual and strategy in (BLUE_GREEN, CANARY) else ()
    shown = (f"can be looked at beforehand at {manner.preview}",) if manner.preview and strategy in (BLUE_GREEN, CANARY) else ()
    return (*shown, *waits, *_of_its_own(strategy, manner, replicas))


def _of_its_own(strategy: str, manner: Manner, replicas: int) -> tuple[str, ...]:
    if strategy == CANARY:
        told = [f"{step.percent}% until it is promoted" if step.hold is None else str(step) for step in manner.steps]
        return (f"requests: {', '.join(told)}, then all", *_bounds(manner.gate))
    if strategy == ROLLING:
        return (f"{manner.surge(replicas)} more and {manner.lacking(replicas)} fewer than {replicas} at a time; rollback launches again",)
    if strategy == RECREATE:
        held = f"requests are held for {_spoken(manner.pause)} at most" if manner.pause else "requests are turned away"
        return (f"the old ones stop before the new ones start; {held} meanwhile",)
    return ()


def _bounds(gate: Bounds | None) -> tuple[str, ...]:
    if gate is None:
        return ()
    told = [f"errors at most {gate.errors * 100:.4g}%" if gate.errors is not None else ""]
    told += [f"95 of 100 answers within {gate.p95:g} s" if gate.p95 is not None else ""]
    told += [f"{gate.command[0]} succeeds" if gate.command else ""]
    return (f"taken back unless {', '.join(filter(None, told))}",)
