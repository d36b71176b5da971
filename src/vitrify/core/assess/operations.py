"""What was done to a server, from its durable intent to its end, as the ledger tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from vitrify.core.digest import JSON
from vitrify.core.trend import Told

CHANGE, BACK = "change", "back"
_BEGIN: Mapping[str, str] = {
    "apply.intended": CHANGE,
    "undo.intended": BACK,
    "release.intended": CHANGE,
    "join.intended": CHANGE,
    "rollback.intended": BACK,
}
_ENDS = frozenset({"apply.done", "undo.done", "switch.done", "release.done", "join.done", "rollback.done"})
"""A release is there for whoever asks once traffic has moved: what comes behind that is clearing up."""
_FAILED = frozenset({"apply.failed", "undo.failed", "release.failed", "join.failed", "rollback.failed"})


@dataclass(frozen=True)
class Done:
    """One change, or one way back, that came to its end; on all the hosts to which one command brought it. Times since the epoch."""

    server: str
    sort: str
    """CHANGE or BACK."""
    began: float
    ended: float
    in_place: bool
    hosts: frozenset[str]
    plan: str
    """What tells that two hosts were changed by the same command; "" where nothing does."""
    addresses: tuple[str, ...] = ()
    """What was changed in place."""
    sent: int | None = None
    """Bytes of content that the hosts asked for; of a release, those of its image that the one before had not."""
    baking: float = 0.0
    """Seconds for which its image was baked before it began."""

    @property
    def seconds(self) -> float:
        """How long it took; a clock that was set back makes nothing negative."""
        return max(self.ended - self.began, 0.0) + self.baking


def done(entries: Iterable[Told]) -> tuple[Done, ...]:
    """All that came to its end, in that order."""
    story = _Story()
    for entry in entries:
        story.hear(entry)
    return tuple(_joined(story.ended.values()))


class _Story:
    """The entries so far: what is under way and what ended, by operation; what was baked and is in no release yet."""

    def __init__(self) -> None:
        self.ended: dict[str, Done] = {}
        self._begun: dict[str, Done] = {}
        self._baked: dict[str, tuple[float, int | None]] = {}
        self._layers: dict[str, frozenset[str]] = {}

    def hear(self, entry: Told) -> None:
        """One more entry."""
        operation = str(entry.body.get("operation", ""))
        if entry.kind == "bake.done":
            self._bake(entry)
        elif entry.kind in _BEGIN:
            self._begun.setdefault(operation, self._first(entry))
        elif entry.kind in _FAILED:
            self._begun.pop(operation, None)
            self.ended.pop(operation, None)  # traffic had moved, and went back
        elif entry.kind in _ENDS and operation in self._begun:
            ended = self._begun.pop(operation)
            sent = entry.body.get("bytes")
            sent = sent if ended.in_place and isinstance(sent, int) else ended.sent
            self.ended[operation] = replace(ended, ended=entry.at, sent=sent)

    def _first(self, entry: Told) -> Done:
        body, sort = entry.body, _BEGIN[entry.kind]
        release = sort == CHANGE and entry.kind != "apply.intended"
        baking, fresh = self._baked.pop(str(body.get("image")), (0.0, 0)) if release else (0.0, None)
        return Done(
            server=str(body.get("server", "")),
            sort=sort,
            began=entry.at,
            ended=entry.at,
            in_place=entry.kind.startswith(("apply", "undo")),
            hosts=frozenset({str(body.get("host", ""))}),
            plan=str(body.get("plan") or ""),
            addresses=tuple(_addresses(body.get("changes"))),
            sent=fresh,
            baking=baking,
        )

    def _bake(self, entry: Told) -> None:
        server, layers, spent = str(entry.body.get("server", "")), entry.body.get("layers"), entry.body.get("ms")
        sizes = {name: size for name, size in layers.items() if isinstance(size, int)} if isinstance(layers, dict) else None
        known = self._layers.get(server, frozenset())
        fresh = None if sizes is None else sum(size for name, size in sizes.items() if name not in known)
        self._layers[server] = frozenset(sizes or ())
        self._baked[str(entry.body.get("image"))] = (spent / 1000 if isinstance(spent, int) else 0.0, fresh)


def _addresses(changes: JSON) -> Iterator[str]:
    for change in changes if isinstance(changes, list) else ():
        if isinstance(change, list) and change:
            yield str(change[0])


def _joined(ended: Iterable[Done]) -> Iterator[Done]:
    """What one command did on host after host is one change; in place, it is none where nothing was changed."""
    last: dict[str, Done] = {}
    for one in ended:
        if one.in_place and one.sort == CHANGE and not one.addresses:
            continue
        known = last.get(one.server)
        if known and one.plan and (known.plan, known.sort) == (one.plan, one.sort) and not known.hosts & one.hosts:
            last[one.server] = _both(known, one)
            continue
        if known:
            yield known
        last[one.server] = one
    yield from last.values()


def _both(one: Done, more: Done) -> Done:
    sent = None if one.sent is None or more.sent is None else one.sent + more.sent
    return replace(
        one,
        began=min(one.began, more.began),
        ended=max(one.ended, more.ended),
        hosts=one.hosts | more.hosts,
        addresses=(*one.addresses, *more.addresses),
        sent=sent,
        baking=one.baking + more.baking,
    )
