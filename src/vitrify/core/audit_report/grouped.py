"""Findings as people read them: by place, worst first, and what several share said once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from vitrify.core.audit_report.report import SEVERITIES, Row, graded
from vitrify.core.drift import Class
from vitrify.core.readable import shortened

_ORDER = (Class.UNAUTHORISED, Class.AUTHORISED, Class.PACKAGE_MANAGER, Class.NOISE)
_URGENT = ("critical", "high")


@dataclass(frozen=True)
class Same:
    """Paths to which the same happened, and in words how, when and by whom; "" where nothing more is known."""

    change: str
    paths: tuple[str, ...]
    told: str


@dataclass(frozen=True)
class Group:
    """What shares class, severity (or ""), evidence and answer."""

    classed: Class
    severity: str
    grounds: str
    answer: str
    same: tuple[Same, ...]

    @property
    def name(self) -> str:
        """The class, and how severe it is where somebody should look at once."""
        return f"{self.classed.value}, {self.severity}" if self.severity in _URGENT and not self.allowed else self.classed.value

    @property
    def allowed(self) -> bool:
        """Whether somebody, or something, had leave for it."""
        return self.classed is not Class.UNAUTHORISED

    @property
    def count(self) -> int:
        """So many paths."""
        return sum(len(each.paths) for each in self.same)


@dataclass(frozen=True)
class Place:
    """Hosts, or instances, of one server that tell the same but for the time."""

    server: str
    wheres: tuple[str, ...]
    groups: tuple[Group, ...]


def places(rows: Sequence[Row], *, whole_digests: bool = False) -> Iterator[Place]:
    """By server, then by place. Digests are shortened to what can be told apart by eye, unless they are wanted whole."""
    alike: dict[tuple[str, tuple[Row, ...]], list[list[Row]]] = {}
    ordered = sorted(rows, key=lambda found: (found.server, found.where, found.path, found.change, found.classed.value, found.details))
    for (server, _), found in groupby(ordered, key=lambda found: (found.server, found.where)):
        here = list(found)
        alike.setdefault((server, tuple(replace(each, where="", written=None) for each in here)), []).append(here)
    for (server, _), these in alike.items():
        merged = [_merged(twins) for twins in zip(*these, strict=True)]
        yield Place(server, tuple(here[0].where for here in these), tuple(_groups(merged, whole_digests=whole_digests)))


def _merged(twins: Sequence[Row]) -> Row:
    """One for all of them, with the span of their times."""
    times = [found.written for found in twins if found.written is not None]
    return replace(twins[0], written=min(times), latest=max(times)) if times else twins[0]


def _groups(rows: Sequence[Row], *, whole_digests: bool) -> Iterator[Group]:
    told = {found: _told(found, whole_digests=whole_digests) for found in rows}
    ranked = sorted(rows, key=lambda found: (*_rank(found), found.change, told[found], found.path))
    for (classed, severity, grounds, answer), found in groupby(ranked, key=_shared):
        runs = groupby(found, key=lambda each: (each.change, told[each]))
        same = tuple(Same(change, tuple(each.path for each in those), tail) for (change, tail), those in runs)
        yield Group(classed, severity, grounds, answer, same)


def _told(found: Row, *, whole_digests: bool) -> str:
    details = ", ".join(found.details)
    details = details if whole_digests else shortened(details)
    return "; ".join(part for part in (details, found.when, f"by {found.who}" if found.who else "", found.why) if part)


def _shared(found: Row) -> tuple[Class, str, str, str]:
    return found.classed, found.severity, found.grounds, found.answer


def _rank(found: Row) -> tuple[int, int, str, str]:
    return _ORDER.index(found.classed), SEVERITIES.index(graded(found)), found.grounds, found.answer
