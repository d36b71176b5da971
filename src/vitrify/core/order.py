"""The order in which resources act: as written, unless an edge says otherwise. Pure; stays on the control machine.

Three things order a list, the stronger first:

1. *edges*: `after`, and what kinds imply (a file after its folder). They always hold; a circle of them is an error.
2. *barriers*: a `command` sees everything written before it done, and nothing written after it.
3. *place*: whatever is left undecided stays as it was written.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic
from vitrify.core.resource import Address, Kinds, Resource
from vitrify.core.schema import near

BARRIERS = frozenset({"command"})
"""Kinds whose effects nobody can foresee: what is written around them may depend on them without saying so."""


@dataclass(frozen=True)
class Ordered:
    """Resources in the order in which they act, and a sentence for each edge that contradicts the written order."""

    resources: tuple[Resource, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    """`first` must be done before `then`; both are places in the written list."""

    first: int
    then: int
    implied: bool


def order(resources: Sequence[Resource], *, kinds: Kinds) -> Ordered:
    """The resources, ordered. Raises DeclarationInvalid where an `after` leads nowhere or edges run in a circle."""
    edges = _edges(resources, kinds)
    if all(edge.first < edge.then for edge in edges):
        return Ordered(tuple(resources))
    places = _Sorting(resources, edges).run()
    if len(places) < len(resources):
        raise DeclarationInvalid(_circles(resources, edges, left=set(range(len(resources))) - set(places)))
    return Ordered(tuple(resources[place] for place in places), tuple(_notices(resources, edges)))


def _edges(resources: Sequence[Resource], kinds: Kinds) -> list[Edge]:
    place = {resource.address: index for index, resource in enumerate(resources)}
    lost = [_unknown(resource, name, place) for resource in resources for name in resource.after if name not in place]
    if lost:
        raise DeclarationInvalid(lost)
    others = {resource.address: resource for resource in resources}
    found: dict[tuple[int, int], Edge] = {}
    for index, resource in enumerate(resources):
        for first in (place[name] for name in resource.after):
            found[first, index] = Edge(first, index, implied=False)
        for address in kinds[resource.address.kind].implied(resource, others):
            first = place.get(address, index)
            if first != index:
                found.setdefault((first, index), Edge(first, index, implied=True))
    return list(found.values())


def _unknown(resource: Resource, name: Address, known: Iterable[Address]) -> Diagnostic:
    hint = near(str(name), map(str, known)) or "`after` names resources of the same server, as in file:/etc/motd"
    return Diagnostic(f"`{resource.address}` comes after `{name}`, which is not declared", resource.where, hint=hint)


class _Sorting:
    """Kahn's algorithm, smallest place first, with barriers that give way only to an edge."""

    def __init__(self, resources: Sequence[Resource], edges: Iterable[Edge]) -> None:
        size = len(resources)
        self._before: list[list[int]] = [[] for _ in range(size)]
        self._then: list[list[int]] = [[] for _ in range(size)]
        self._waits = [0] * size
        for edge in edges:
            self._before[edge.then].append(edge.first)
            self._then[edge.first].append(edge.then)
            self._waits[edge.then] += 1
        self._soft: list[list[int]] = [[] for _ in range(size)]
        self._held = [0] * size
        self._hold(resources)
        self._forced = [False] * size
        self._queued = [False] * size
        self._heap: list[int] = []

    def _hold(self, resources: Sequence[Resource]) -> None:
        """Each barrier waits for its stretch of the list, and the next stretch waits for it."""
        barrier: int | None = None
        stretch: list[int] = []
        for place, resource in enumerate(resources):
            if barrier is not None:
                self._soft[barrier].append(place)
                self._held[place] += 1
            if resource.address.kind not in BARRIERS:
                stretch.append(place)
                continue
            for earlier in stretch:
                self._soft[earlier].append(place)
                self._held[place] += 1
            barrier, stretch = place, []

    def run(self) -> list[int]:
        """The places in the order found; those in a circle, and those behind one, are missing."""
        done: list[int] = []
        finished = [False] * len(self._waits)
        oldest = 0
        self._queue(range(len(self._waits)))
        while True:
            while self._heap:
                place = heapq.heappop(self._heap)
                done.append(place)
                finished[place] = True
                self._release(place)
            while oldest < len(finished) and (finished[oldest] or self._forced[oldest]):
                oldest += 1
            if oldest == len(finished):
                return done
            self._force(oldest, finished)

    def _queue(self, places: Iterable[int]) -> None:
        for place in places:
            free = self._waits[place] == 0 and (self._held[place] == 0 or self._forced[place])
            if free and not self._queued[place]:
                self._queued[place] = True
                heapq.heappush(self._heap, place)

    def _release(self, place: int) -> None:
        for then in self._then[place]:
            self._waits[then] -= 1
        for then in self._soft[place]:
            self._held[then] -= 1
        self._queue(self._then[place])
        self._queue(self._soft[place])

    def _force(self, place: int, finished: Sequence[bool]) -> None:
        """Let the first resource that waits, and all that its edges need, cross the barriers that hold them."""
        stack, reached = [place], []
        while stack:
            at = stack.pop()
            if finished[at] or self._forced[at]:
                continue
            self._forced[at] = True
            reached.append(at)
            stack += self._before[at]
        self._queue(reached)


def _notices(resources: Sequence[Resource], edges: Iterable[Edge]) -> Iterator[str]:
    barriers = [place for place, resource in enumerate(resources) if resource.address.kind in BARRIERS]
    for edge in sorted(edges, key=lambda edge: (edge.then, edge.first)):
        if edge.first < edge.then:
            continue
        crossed = [str(resources[place].address) for place in barriers if edge.then < place < edge.first]
        across = f", across {', '.join(crossed)}" if crossed else ""
        yield (
            f"{_placed(resources[edge.then])} acts after {_placed(resources[edge.first])}, "
            f"which is written below it{across} ({_reason(edge)})"
        )


def _reason(edge: Edge) -> str:
    return "what it is implies so" if edge.implied else "its `after` says so"


def _placed(resource: Resource) -> str:
    return f"`{resource.address}`" + (f" ({resource.where})" if resource.where else "")


def _circles(resources: Sequence[Resource], edges: Iterable[Edge], *, left: set[int]) -> Iterator[Diagnostic]:
    """Every circle that can be reached by going back from each resource that is left, each once."""
    before: defaultdict[int, list[Edge]] = defaultdict(list)
    for edge in edges:
        if edge.first in left and edge.then in left:
            before[edge.then].append(edge)
    walked: set[int] = set()
    for start in sorted(left):
        path: list[Edge] = []
        at = start
        while at not in walked and before[at]:
            walked.add(at)
            path.append(before[at][0])
            at = before[at][0].first
        inside = next((step for step, edge in enumerate(path) if edge.then == at), None)
        if inside is not None:
            yield _circle(resources, path[inside:])


def _circle(resources: Sequence[Resource], path: Sequence[Edge]) -> Diagnostic:
    start = min(range(len(path)), key=lambda step: path[step].then)
    turned = [*path[start:], *path[:start]]
    first = resources[turned[0].then]
    steps = [f"{_placed(resources[edge.then])} acts after {_placed(resources[edge.first])}: {_reason(edge)}" for edge in turned]
    return Diagnostic(
        f"these resources wait for each other in a circle: {' -> '.join(f'`{resources[edge.then].address}`' for edge in turned)}",
        first.where,
        why="; ".join(steps),
        hint="take out one `after`",
    )
