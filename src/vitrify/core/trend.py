"""How fast drift is seen and how fast it is put right, from what the ledger tells. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median

from vitrify.core.digest import JSON, JSONObject

DAY = 86_400.0
_ACCEPTED, _RETIRED = "accept.done", "retire.done"
_OF_A_HOST = frozenset({"apply.done", "undo.done", _ACCEPTED})
_OF_A_SERVER = frozenset({"release.done", "replace.done", "rollback.done", _RETIRED})
_LOOKED = "audit.done"
_FOUND = "finding"
_UNTOUCHED = "report"
"""The answer to what no apply puts right: somebody has to, and only a look that finds nothing tells that it happened."""

Key = tuple[str, str, str, str]
Lasting = dict[tuple[str, bool], set[Key]]
"""Where, and whether no apply puts it right -> what lasts there."""


@dataclass(frozen=True)
class Told:
    """An entry of the ledger; `at` is seconds since the epoch by its author's clock."""

    kind: str
    at: float
    body: JSONObject


@dataclass(frozen=True)
class Spell:
    """One difference, from when it was found to when it was over."""

    server: str
    where: str
    answer: str
    found: float
    written: float | None
    """When it came about, by the target's clock; None where nothing tells."""
    over: float | None = None
    """None while it lasts."""


@dataclass(frozen=True)
class Spread:
    """How long something took, in seconds, over so many times."""

    times: int
    middle: float
    longest: float

    def to_json(self) -> JSONObject:
        """In whole seconds."""
        return {"times": self.times, "median_s": round(self.middle), "longest_s": round(self.longest)}


@dataclass(frozen=True)
class ServerTrend:
    """What the window of a trend holds of one server. Only what nobody allowed counts."""

    server: str
    found: int
    lasting: int
    """Of these, how many are not over."""
    detect: Spread | None
    """From the time that a file carries to the entry of its finding."""
    repair: Spread | None
    """From that entry to the change, or the look, that ended it."""
    days: tuple[tuple[str, int], ...]
    """Day (UTC) -> findings, for every day of the window, oldest first."""

    @property
    def per_day(self) -> float:
        """Findings a day, on average."""
        return self.found / max(len(self.days), 1)

    def to_json(self) -> JSONObject:
        """As the document of an audit has it."""
        days: dict[str, JSON] = dict(self.days)
        return {
            "server": self.server,
            "found": self.found,
            "lasting": self.lasting,
            "per_day": round(self.per_day, 3),
            "detect": self.detect.to_json() if self.detect else None,
            "repair": self.repair.to_json() if self.repair else None,
            "days": days,
        }


@dataclass(frozen=True)
class Trend:
    """Every server over the last `days` days; 0 days where nobody asked."""

    days: int = 0
    servers: tuple[ServerTrend, ...] = ()

    def to_json(self) -> JSONObject:
        """As the document of an audit has it."""
        return {"days": self.days, "servers": [server.to_json() for server in self.servers]}


def trend(entries: Iterable[Told], *, servers: Sequence[str], days: int, now: float) -> Trend:
    """What the entries of a ledger, oldest first, tell of these servers; `now` is seconds since the epoch."""
    found, first = _followed(entries)
    begin = max(now - days * DAY, min(first, now))
    dates = _dates(begin, now)
    counted = [spell for spell in found if spell.found >= begin]
    return Trend(days, tuple(_of(name, [spell for spell in counted if spell.server == name], dates) for name in servers))


def _followed(entries: Iterable[Told]) -> tuple[list[Spell], float]:
    """Every spell, and the time of the first entry."""
    spells: dict[Key, list[Spell]] = {}
    lasting: dict[str, Lasting] = {}
    first = float("inf")
    for entry in entries:
        first = min(first, entry.at)
        here = lasting.setdefault(str(entry.body.get("server", "")), {})
        if entry.kind == _FOUND:
            key = _begun(spells, entry)
            last = spells[key][-1]
            here.setdefault((last.where, last.answer == _UNTOUCHED), set()).add(key)
        elif entry.kind in _OF_A_HOST or entry.kind in _OF_A_SERVER or _clean(entry):
            for place in [place for place in _touched(entry, here) if place in here]:
                for key in here.pop(place):
                    spells[key][-1] = replace(spells[key][-1], over=entry.at)
    return [spell for each in spells.values() for spell in each], first


def _touched(entry: Told, here: Lasting) -> list[tuple[str, bool]]:
    """Where of a server an entry ends what lasts, and whether also that which no apply puts right."""
    if entry.kind in _OF_A_HOST:
        host = str(entry.body.get("host"))
        return [(host, False), (host, True)] if entry.kind == _ACCEPTED else [(host, False)]
    everything = entry.kind in (_LOOKED, _RETIRED)
    return [place for place in here if everything or not place[1]]


def _begun(spells: dict[Key, list[Spell]], entry: Told) -> Key:
    """Note a finding; what is told of one that lasts is not a second one."""
    body = entry.body
    server, where, path, change = (str(body.get(name, "")) for name in ("server", "where", "path", "change"))
    key, written = (server, where, path, change), _written(body)
    known = spells.setdefault(key, [])
    if not known or (known[-1].over is not None and (written is None or written > known[-1].over)):
        known.append(Spell(server, where, str(body.get("answer", "")), entry.at, written))
    else:
        # It was there before the change that was taken for its end, and still is: the change did not end it.
        known[-1] = replace(known[-1], over=None)
    return key


def _written(body: JSONObject) -> float | None:
    """The time that no program can set, where it is told; else the one that the file carries."""
    for name in ("changed_at", "modified_at"):
        value = body.get(name)
        if isinstance(value, int):
            return float(value)
    return None


def _clean(entry: Told) -> bool:
    """Whether somebody looked at all of a server and found nothing that nobody allowed."""
    counts = entry.body.get("findings")
    return entry.kind == _LOOKED and not entry.body.get("missed") and isinstance(counts, dict) and not counts.get("unauthorised")


def _of(name: str, spells: Sequence[Spell], dates: Sequence[str]) -> ServerTrend:
    counts = Counter(_date(spell.found) for spell in spells)
    return ServerTrend(
        server=name,
        found=len(spells),
        lasting=sum(spell.over is None for spell in spells),
        # A host's clock may be ahead of ours: nothing is found before it happened.
        detect=_spread([max(spell.found - spell.written, 0.0) for spell in spells if spell.written is not None]),
        repair=_spread([max(spell.over - spell.found, 0.0) for spell in spells if spell.over is not None]),
        days=tuple((date, counts[date]) for date in dates),
    )


def _spread(seconds: Sequence[float]) -> Spread | None:
    return Spread(len(seconds), median(seconds), max(seconds)) if seconds else None


def _dates(begin: float, now: float) -> list[str]:
    last = _date(now)
    found = []
    at = begin
    while (date := _date(at)) < last:
        found.append(date)
        at += DAY
    return [*found, last]


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
