"""What the ledger tells of rollouts, counted: whoever carried them out, and whichever process counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from vitrify.ledger.entry import Entry
from vitrify.lifecycle.attempts import moment
from vitrify.lifecycle.illness import FAILED, LEFT, OVER
from vitrify.lifecycle.operation import SPOKEN
from vitrify.lifecycle.world import Ledger

AUDITED = "audit.done"
_ENDS = ("done", "failed")
_REPLACED = {"replace.done": "replaced", "replace.failed": "failed"}


@dataclass
class Switches:
    """How many switches there were, and the seconds from the durable intent of each to its end."""

    count: int = 0
    seconds: float = 0.0
    last: float = 0.0


@dataclass(frozen=True)
class Audited:
    """One audit: when it was (seconds since the epoch), its findings by class, and how many hosts could not be audited."""

    at: float
    findings: Mapping[str, int]
    missed: int


@dataclass
class Tally:
    """Reads on from where it stopped the last time; a new one begins with the first entry, and comes to the same."""

    read: int = 0
    _judged: set[tuple[str, str]] = field(default_factory=set)
    """Places where a replacement of what is ill was begun, and did not end."""
    rollouts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(server, kind, how it ended: done or failed) -> how often."""
    switches: dict[str, Switches] = field(default_factory=dict)
    audits: dict[str, Audited] = field(default_factory=dict)
    """Server -> its last audit on schedule."""
    healings: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(server, host, what became of instances that were ill: replaced, failed or left) -> how often."""
    left: dict[tuple[str, str], bool] = field(default_factory=dict)
    """Place -> whether what is ill there was left to a person; of those where anything ever was ill."""

    def catch_up(self, ledger: Ledger) -> None:
        """Count what was added."""
        for entry in ledger.entries(self.read):
            self._count(entry)
            self.read = entry.sequence + 1

    def _healed(self, entry: Entry, place: tuple[str, str]) -> None:
        if entry.kind in (FAILED, LEFT):
            self.left[place] = entry.kind == LEFT
            self.healings[(*place, "left")] += entry.kind == LEFT
        elif entry.kind in OVER and place in self.left:
            self.left[place] = False
        if place in self._judged and entry.kind in _REPLACED:
            self.healings[(*place, _REPLACED[entry.kind])] += 1
            self._judged.discard(place)
        if entry.kind == FAILED:
            self._judged.add(place)

    def _count(self, entry: Entry) -> None:
        kind, _, end = entry.kind.rpartition(".")
        server = str(entry.body.get("server"))
        if kind in SPOKEN and end in _ENDS:
            self.rollouts[server, kind, end] += 1
        if entry.kind == AUDITED:
            classes = entry.body.get("findings")
            found = {name: count for name, count in (classes if isinstance(classes, dict) else {}).items() if isinstance(count, int)}
            missed = entry.body.get("missed")
            self.audits[server] = Audited(moment(entry.at), found, len(missed) if isinstance(missed, list) else 0)
        self._healed(entry, (server, str(entry.body.get("host"))))
        spent = entry.body.get("microseconds")
        if entry.kind == "switch.done" and isinstance(spent, int):
            switches = self.switches.setdefault(server, Switches())
            switches.count += 1
            switches.last = spent / 1_000_000
            switches.seconds += switches.last
