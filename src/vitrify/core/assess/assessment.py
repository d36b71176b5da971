"""All servers of a project, assessed: the figures of each, and what follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vitrify.core.assess.advice import Advice, advice
from vitrify.core.assess.measured import Looked, Measured, Window, measured
from vitrify.core.assess.operations import done
from vitrify.core.declaration import Lifecycle
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.trend import DAY, Told, trend

SCHEMA = "vitrify.dev/assess/v1"
_LOOKS = frozenset({"audit.done", "finding"})
_IN_PLACE, _AS_INSTANCES = frozenset({"apply.done", "undo.done"}), frozenset({"release.done", "join.done", "replace.done", "rollback.done"})


@dataclass(frozen=True)
class Assessment:
    """What `vitrify assess` tells, over so many days until `at` (seconds since the epoch), from so many entries of the ledger."""

    days: int
    at: float
    entries: int
    servers: tuple[Measured, ...]
    advice: tuple[Advice, ...]
    problems: tuple[str, ...] = ()
    """Hosts that could not tell, and why."""
    project: str = ""

    def to_json(self) -> JSONObject:
        """The document."""
        servers: list[JSON] = [server.to_json() for server in self.servers]
        following: list[JSON] = [one.to_json() for one in self.advice]
        return {
            "schema": SCHEMA,
            "project": self.project,
            "days": self.days,
            "at": round(self.at),
            "entries": self.entries,
            "servers": servers,
            "advice": following,
            "problems": [*self.problems],
        }


def assessed(entries: Iterable[Told], looked: Sequence[Looked], *, days: int, now: float) -> Assessment:
    """From the entries of a ledger, oldest first, and what was seen of each server besides."""
    window, begin = Window(days, now), now - days * DAY
    about: dict[str, list[Told]] = {}
    recent = 0
    for entry in entries:
        recent += entry.at >= begin
        about.setdefault(str(entry.body.get("server", "")), []).append(entry)
    figures = tuple(_one(each, about.get(each.server.name, []), window) for each in looked)
    problems = tuple(f"{row.server} on {row.host}: {row.problem}" for each in looked for row in each.behind if row.problem)
    return Assessment(days, now, recent, figures, advice(figures), problems)


def _one(looked: Looked, about: Sequence[Told], window: Window) -> Measured:
    """What a server was like while it lived the other way is no figure of how it lives now."""
    image = looked.server.lifecycle is Lifecycle.IMMUTABLE
    flipped = max((entry.at for entry in about if entry.kind in (_IN_PLACE if image else _AS_INSTANCES)), default=0.0)
    since = [entry for entry in about if entry.at > flipped]
    (its,) = trend(since, servers=[looked.server.name], days=window.days, now=window.now).servers
    begin = window.now - window.days * DAY
    seen = any(entry.kind in _LOOKS and entry.at >= begin for entry in since)
    ended = [one for one in done(about) if one.ended >= begin and one.in_place is not image]
    return measured(looked, its if seen else None, ended, window)
