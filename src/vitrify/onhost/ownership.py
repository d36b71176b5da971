"""What the target remembers of every resource: whether vitrify created or adopted it, for whom, and the values last applied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Container, Dict, FrozenSet, Iterable, Iterator, List, Mapping, Optional, Tuple

from vitrify.core.digest import JSON, JSONObject
from vitrify.core.resource import Address, Kinds, Resource
from vitrify.onhost.memory import Memory
from vitrify.onhost.runs import NOTHING, PART, WHOLE, Run, Step

FILE = "ownership.json"

Key = Tuple[str, str, str]
"""Project, server, address."""


@dataclass(frozen=True)
class Holding:
    """One resource that one server of one project holds here."""

    project: str
    server: str
    resource: Resource
    created: bool
    applied: Mapping[str, JSON]
    run: str

    @property
    def key(self) -> Key:
        """What it is found by."""
        return self.project, self.server, str(self.resource.address)

    def to_json(self) -> JSONObject:
        """The form of the file, and of `observe`."""
        return {
            "project": self.project,
            "server": self.server,
            "resource": self.resource.to_json(),
            "created": self.created,
            "applied": dict(self.applied),
            "run": self.run,
        }

    @classmethod
    def from_json(cls, data: JSONObject) -> Holding:
        """Read what `to_json` wrote."""
        resource, applied = data["resource"], data["applied"]
        if not isinstance(resource, dict) or not isinstance(applied, dict):
            raise TypeError("not an owned resource")
        created = data["created"] is True
        return cls(str(data["project"]), str(data["server"]), Resource.from_json(resource), created, applied, str(data["run"]))


class Ownership:
    """All holdings of one target, oldest first."""

    def __init__(self, holdings: Iterable[Holding] = ()) -> None:
        self._holdings: Dict[Key, Holding] = {}
        self._claims: Dict[str, List[Key]] = {}
        for holding in holdings:
            self._set(holding.key, holding)

    def _set(self, key: Key, holding: Holding) -> None:
        if key not in self._holdings:
            self._claims.setdefault(key[2], []).append(key)
        self._holdings[key] = holding

    @classmethod
    def remembered(cls, memory: Memory, runs: Iterable[Run]) -> Ownership:
        """As the file tells, and what unfinished runs did since it was written."""
        data = memory.read(FILE) if memory.there() else None
        rows = data.get("owned") if data else None
        found = cls(Holding.from_json(row) for row in (rows if isinstance(rows, list) else []) if isinstance(row, dict))
        for run in sorted(runs, key=lambda run: run.sequence):
            found.replay(run)
        return found

    def keep(self, memory: Memory) -> None:
        """Make it durable."""
        memory.write(FILE, {"owned": [holding.to_json() for holding in self._holdings.values()]})

    def of(self, project: str, server: str) -> Tuple[Holding, ...]:
        """What one server holds, oldest first."""
        return tuple(holding for key, holding in self._holdings.items() if key[:2] == (project, server))

    def __iter__(self) -> Iterator[Holding]:
        return iter(self._holdings.values())

    def find(self, key: Key) -> Optional[Holding]:
        """One holding."""
        return self._holdings.get(key)

    def created_parts(self, project: str, server: str, *, kinds: Kinds, but: Container[Address]) -> FrozenSet[str]:
        """The parts of shared files that this server created under an address that is not among these."""
        gone = [holding.resource for holding in self.of(project, server) if holding.created and holding.resource.address not in but]
        return frozenset(
            part for resource in gone if resource.address.kind in kinds for part in kinds[resource.address.kind].parts(resource)
        )

    def others(self, key: Key) -> Tuple[Holding, ...]:
        """Who else holds the same address."""
        return tuple(self._holdings[other] for other in self._claims.get(key[2], ()) if other != key)

    def put(self, key: Key, holding: Optional[JSONObject]) -> None:
        """Set or (None) drop one holding. Of a thing that others hold too, they inherit that vitrify created it."""
        if holding is not None:
            self._set(key, Holding.from_json(holding))
            return
        dropped = self._holdings.pop(key, None)
        if dropped is None:
            return
        self._claims[key[2]].remove(key)
        heir = next(iter(self.others(key)), None)
        if dropped.created and heir is not None:
            self._set(heir.key, replace(heir, created=True))

    def replay(self, run: Run) -> None:
        """Whatever this run did that the file cannot know yet. Repeating it is harmless."""
        if not run.ended:
            for held in run.held:
                self.put((run.project, run.server, held.address), held.after)
            for step in run.steps:
                if not step.pending:
                    self.follow(run, step)
        if run.undoing:
            for step in reversed(run.steps):
                if step.undone:
                    self.put((run.project, run.server, str(step.change.resource.address)), step.owned)

    def follow(self, run: Run, step: Step) -> None:
        """The consequence of one step."""
        key = (run.project, run.server, str(step.change.resource.address))
        if step.left != NOTHING:
            self.put(key, after_step(run, step))


def after_step(run: Run, step: Step) -> Optional[JSONObject]:
    """The holding that a step leaves. What is there in part only is held as well: it is ours to finish, or to remove."""
    if step.left == PART and (step.owned is not None or step.wish.absent):
        return step.owned
    if step.wish.absent:
        return None
    applied = step.change.after if step.left == WHOLE else {}
    return Holding(run.project, run.server, step.wish, step.created, applied, run.id).to_json()
