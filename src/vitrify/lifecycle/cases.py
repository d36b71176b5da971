"""Which findings wait for an answer, as the ledger tells: no process has to remember, and whoever found them does not matter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.drift import Class
from vitrify.core.response import Do, Response, decided
from vitrify.core.severity import Severity
from vitrify.ledger.entry import Entry
from vitrify.lifecycle.attempts import FORGOTTEN, moment
from vitrify.lifecycle.world import Ledger

INTENDED, DONE, FAILED, LEFT, HELD = "respond.intended", "respond.done", "respond.failed", "respond.left", "respond.held"
WINDOW = 4000
"""So many of the newest entries are looked through."""
DAY = 86_400.0
_UPKEEP = ("instance:", "release:")
"""What `keep` looks after by itself."""


@dataclass(frozen=True)
class Case:
    """One finding that a rule is about."""

    entry: int
    identity: str
    where: str
    path: str
    rule: Response


@dataclass(frozen=True)
class Docket:
    """What the ledger tells of the answers on one host of a server."""

    server: Server
    host: Host
    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, server: Server, host: Host, ledger: Ledger) -> Docket:
        """Read what is about them."""
        found = ledger.entries(max(0, ledger.size - WINDOW))
        return cls(server, host, tuple(entry for entry in found if entry.body.get("server") == server.name))

    @property
    def immutable(self) -> bool:
        """Whether it is about instances."""
        return self.server.lifecycle is Lifecycle.IMMUTABLE

    def unfinished(self) -> Entry | None:
        """The response that was begun here and has no end."""
        newest = next((one for one in reversed(self._here()) if one.kind in (INTENDED, DONE, FAILED)), None)
        return newest if newest is not None and newest.kind == INTENDED else None

    def cases(self) -> tuple[Case, ...]:
        """The findings that wait, oldest first; of one that was told twice the newest telling."""
        closed = {number for entry in self.entries if entry.kind in (DONE, LEFT) for number in numbers(entry.body.get("findings"))}
        waiting: dict[str, Case] = {}
        for entry in self.entries:
            case = self._case(entry) if entry.kind == "finding" else None
            if case is not None:
                waiting.pop(case.identity, None)
                waiting[case.identity] = case
        return tuple(case for case in waiting.values() if case.entry not in closed)

    def named(self, findings: Iterable[int]) -> tuple[Case, ...]:
        """Those of these entries."""
        wanted = set(findings)
        found = [self._case(entry) for entry in self.entries if entry.sequence in wanted]
        return tuple(case for case in found if case is not None)

    def _case(self, entry: Entry) -> Case | None:
        body = entry.body
        path, where = str(body.get("path")), str(body.get("where"))
        told_only = body.get("class") != Class.UNAUTHORISED.value or path.startswith(_UPKEEP) or body.get("evidence") == "baseline"
        if told_only or not (self.immutable or where == self.host.name):
            return None
        rule = decided(self.server.responses, path, Severity(str(body.get("severity"))), immutable=self.immutable)
        return None if rule is None else Case(entry.sequence, str(body.get("finding")), where, path, rule)

    def begun_within_the_hour(self, rule: Response, *, now: float) -> int:
        """How often a response of this rule was begun here."""
        recent = (entry for entry in self._here() if entry.kind == INTENDED and moment(entry.at) > now - FORGOTTEN)
        return sum(entry.body.get("rule") == rule.to_json() for entry in recent)

    def failed_within_the_hour(self, *, now: float) -> tuple[float, ...]:
        """When responses failed here: seconds since the epoch."""
        return tuple(at for entry in self._here() if entry.kind == FAILED and (at := moment(entry.at)) > now - FORGOTTEN)

    def mended_today(self, case: Case, *, now: float) -> int:
        """How often what is at this path was put right within a day: in place here, or in any instance of the server."""
        done = (entry for entry in self.entries if entry.kind == DONE and moment(entry.at) > now - DAY)
        here = [entry for entry in done if self.immutable or entry.body.get("host") == self.host.name]
        return sum(case.path in texts(entry.body.get("paths")) for entry in here)

    def held(self, case: Case) -> bool:
        """Whether it was told already that it waits."""
        return any(entry.kind == HELD and case.entry in numbers(entry.body.get("findings")) for entry in self.entries)

    def _here(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.body.get("host") == self.host.name]


def grouped(cases: Iterable[Case]) -> Iterator[tuple[Response, tuple[Case, ...]]]:
    """Those of one rule together: they are answered in one act."""
    known = tuple(cases)
    for rule in dict.fromkeys(case.rule for case in known):
        yield rule, tuple(case for case in known if case.rule == rule)


def body_of(server: str, host: str, cases: Iterable[Case], **more: JSON) -> JSONObject:
    """What an entry about these says."""
    known = tuple(cases)
    paths: list[JSON] = [*dict.fromkeys(case.path for case in known)]
    return {"server": server, "host": host, "findings": [case.entry for case in known], "paths": paths[:200], **more}


def rule_of(data: JSON) -> Do:
    """What the rule of an entry says to do."""
    return Do(str(data.get("do")) if isinstance(data, dict) else "")


def numbers(value: JSON) -> tuple[int, ...]:
    """A list of whole numbers."""
    return tuple(one for one in value if isinstance(one, int)) if isinstance(value, list) else ()


def texts(value: JSON) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(str(one) for one in value) if isinstance(value, list) else ()
