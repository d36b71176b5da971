"""Converges a folder with the payload's own calls, made in this very process: observe, plan, enact."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.event import Event
from vitrify.core.plan import Owned, Seen, expectation, plan_host
from vitrify.core.resource import Address, Kind, Kinds, Observation, Resource
from vitrify.core.step import carry_on
from vitrify.onhost.calls import find_call
from vitrify.onhost.context import Context
from vitrify.resources.registry import all_kinds

PROJECT = "0123456789abcdef"
MEMORY = "var/lib/vitrify"


def wish(kind: str, *, absent: bool = False, **fields: JSON) -> Resource:
    """One wish, named by its path."""
    name = fields.get("path") or fields.get("to") or fields.get("name")
    return Resource(Address(kind, str(name)), fields, absent=absent)


def objects(answer: Mapping[str, JSON], name: str) -> list[JSONObject]:
    """A list of objects in an answer."""
    found = answer[name]
    if not isinstance(found, list):
        raise TypeError(f"{name} is no list")
    return [item for item in found if isinstance(item, dict)]


def planned(answer: JSONObject, wishes: Sequence[Resource], *, run: str, kinds: Kinds) -> JSONObject:
    """The arguments of `enact` that follow from what `observe` answered."""
    observations = [Observation.from_json(item) for item in objects(answer, "observations")]
    owned = tuple(Owned.from_json(item) for item in objects(answer, "owned"))
    seen = Seen({item.address: item for item in observations}, owned, str(answer["unfinished"]))
    decided = plan_host(wishes, seen, kinds=kinds, diff=lambda _, __: "")
    return {
        "run": run,
        "by": "ada",
        "changes": [change.to_json() for change in decided.changes],
        "settled": [one.to_json() for one in decided.settled],
        "forgotten": [str(one.address) for one in decided.forgotten],
        "expect": expectation(observations),
        "resources": [one.to_json() for one in wishes],
    }


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder where making things durable costs nothing, if this machine has one."""
    memory = Path("/dev/shm")  # noqa: S108  a fresh folder is made in it
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="vitrify-test-", dir=place) as folder:
        yield Path(folder)


@dataclass
class Engine:
    """One folder as a target."""

    root: Path
    server: str = "web"
    project: str = PROJECT
    memory: str = ""
    """Where the folder remembers; in itself unless it is told."""
    kinds: Kinds = field(default_factory=all_kinds)
    reached: Callable[[str], None] = carry_on
    contents: dict[str, bytes] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    time: float = 1_700_000_000.0

    def text(self, text: str) -> str:
        """The digest of a content that the control machine has."""
        digest = digest_bytes(text.encode())
        self.contents[digest] = text.encode()
        return digest

    def file(self, path: str, text: str, **fields: JSON) -> Resource:
        """A wish for a file."""
        return wish("file", absent=False, **{"path": path, "content": self.text(text), **fields})

    def call(self, name: str, **arguments: JSON) -> JSONObject:
        """One call; arguments and answer pass through JSON, as they would on the wire."""
        scope = {
            "target": "folder",
            "root": str(self.root),
            "lower": [],
            "project": self.project,
            "server": self.server,
            "memory": self.memory or str(self.root / MEMORY),
            "bwrap": "",
            "key": "00",
        }
        self.time += 1
        context = Context(
            emit=self.events.append, blob=self.contents.__getitem__, reached=self.reached, kinds=self.kinds, clock=lambda: self.time
        )
        called = find_call(name)
        if called is None:
            raise LookupError(name)
        answer: JSONObject = json.loads(json.dumps(called(context, json.loads(json.dumps({"scope": scope, **arguments})))))
        return answer

    def plan(self, *wishes: Resource, run: str = "r1") -> JSONObject:
        """The arguments of `enact` for these wishes as things are now."""
        answer = self.call("observe", resources=[one.to_json() for one in wishes])
        return planned(answer, wishes, run=run, kinds=self.kinds)

    def apply(self, *wishes: Resource, run: str = "r1") -> JSONObject:
        """Observe, plan, enact."""
        return self.call("enact", **self.plan(*wishes, run=run))

    def owned(self) -> dict[str, bool]:
        """Address -> whether a plan may remove it."""
        rows = objects(self.call("observe", resources=[]), "owned")
        return {str(Owned.from_json(row).resource.address): row["created"] is True for row in rows}

    def states(self) -> list[tuple[str, str]]:
        """Every remembered run and its state, the youngest first."""
        return [(str(run["run"]), str(run["state"])) for run in objects(self.call("observe", resources=[]), "runs")]


def outcomes(answer: JSONObject) -> list[str]:
    """How each change ended."""
    return [str(result["outcome"]) for result in objects(answer, "results")]


def errors(answer: JSONObject) -> str:
    """What went wrong."""
    return "\n".join(str(result["error"]) for result in objects(answer, "results"))


def kinds_and(*more: Kind) -> Kinds:
    """All kinds, and these instead of those of the same name."""
    known = all_kinds()
    return Kinds((*(known[name] for name in known.names()), *more))
