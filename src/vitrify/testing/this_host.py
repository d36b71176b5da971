"""This very machine as a target of one kind: a wish is planned, made true, and must hold then. For kinds that use real programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from vitrify.core.difference import Change
from vitrify.core.digest import JSON, digest_bytes, keyed_digest
from vitrify.core.plan import Seen, plan_host
from vitrify.core.resource import Address, Kinds, Observation, Resource
from vitrify.core.system import System
from vitrify.onhost.live import live_system
from vitrify.resources.registry import all_kinds

KEY = b"the key of this host"


@dataclass
class ThisHost:
    """Wishes are made with absolute paths, which a test takes from its own folder."""

    kinds: Kinds = field(default_factory=all_kinds)
    contents: dict[str, bytes] = field(default_factory=dict)

    @cached_property
    def system(self) -> System:
        """What the kinds act through."""
        return live_system(blob=self.contents.__getitem__, key=KEY)

    def content(self, text: str | bytes, *, secret: bool = False) -> str:
        """The digest by which this can be asked for."""
        data = text if isinstance(text, bytes) else text.encode()
        digest = keyed_digest(data, key=KEY) if secret else digest_bytes(data)
        self.contents[digest] = data
        return digest

    def wish(self, kind: str, *, absent: bool = False, secret: bool = False, **fields: JSON) -> Resource:
        """A wish that is valid; ValueError with what is wrong where it is not."""
        known = self.kinds[kind]
        problems = known.schema.problems(fields, absent=absent, resolved=True)
        if problems:
            raise ValueError("; ".join(problem.summary for problem in problems))
        return Resource(Address(kind, known.identity(fields)), fields, absent=absent, secret=secret)

    def look(self, wish: Resource) -> Observation:
        """What is there."""
        return self.kinds[wish.address.kind].observe(wish, self.system)

    def plan(self, wish: Resource) -> Change | None:
        """What would be done."""
        seen = Seen({wish.address: self.look(wish)}, ())
        changes = plan_host([wish], seen, kinds=self.kinds, diff=lambda _, __: "").changes
        return changes[0] if changes else None

    def converge(self, wish: Resource) -> Change | None:
        """Make it true, twice; the change as it was planned. AssertionError where it does not hold then."""
        change = self.plan(wish)
        if change is None:
            return None
        sent = Change.from_json(change.to_json())
        for _ in range(2):
            self.kinds[wish.address.kind].enact(sent, self.system)
        left = self.plan(wish)
        if left is not None:
            raise AssertionError(f"{wish.address} is not settled: {left.because}")
        return change

    def take_back(self, change: Change) -> None:
        """Undo a change that has an inverse."""
        kind = self.kinds[change.resource.address.kind]
        inverse = kind.inverse(change)
        if inverse is None:
            raise AssertionError(f"{change.resource.address} has no inverse")
        kind.enact(inverse, self.system)
