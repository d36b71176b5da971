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

BARRIERS = frozenset({"command", "http_check", "reboot", "script", "wait_for"})
"""Kinds whose effects nobody can foresee, or that wait for those of others: what is written around them may depend on them unsaid."""


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
    graph = _Graph(len(resources), edges)
    circular = graph.circular()
    if circular:
        raise DeclarationInvalid(_circles(resources, edges, left=circular))
    barriers = [place for place, resource in enumerate(resources) if resource.address.kind in BARRIERS]
    places = _Sorting(graph, barriers).run()
    return Ordered(tuple(resources[place] for place in places), tuple(_notices(resources, edges, barriers)))


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
        for address in kinds[resource.address.kind].leads(resource, others):
            then = place.get(address, index)
            if then != index:
                found.setdefault((index, then), Edge(index, then, implied=True))
    return list(found.values())


def _unknown(resource: Resource, name: Address, known: Iterable[Address]) -> Diagnostic:
    hint = near(str(name), map(str, known)) or "`after` names resources of the same server, as in file:/etc/motd"
    return Diagnostic(f"`{resource.address}` comes after `{name}`, which is not declared", resource.where, hint=hint)


class _Graph:
    """What each place waits for, and what waits for it."""

    def __init__(self, size: int, edges: Iterable[Edge]) -> None:
        self.size = size
        self.before: list[list[int]] = [[] for _ in range(size)]
        self.then: list[list[int]] = [[] for _ in range(size)]
        for edge in edges:
            self.before[edge.then].append(edge.first)
            self.then[edge.first].append(edge.then)

    def circular(self) -> set[int]:
        """The places in a circle, or behind one."""
        waits = [len(before) for before in self.before]
        free = [place for place in range(self.size) if not waits[place]]
        for place in free:
            for then in self.then[place]:
                waits[then] -= 1
                if not waits[then]:
                    free.append(then)
        return set(range(self.size)) - set(free)


class _Sorting:
    """Kahn's algorithm on a graph without circles, smallest place first; barriers give way only to an edge."""

    def __init__(self, graph: _Graph, barriers: Sequence[int]) -> None:
        self._graph = graph
        self._barriers = barriers
        self._waits = [len(before) for before in graph.before]
        self._finished = [False] * graph.size
        self._forced = [False] * graph.size
        self._ready = [place for place in range(graph.size) if not self._waits[place]]
        self._urgent: list[int] = []
        self._oldest = 0
        self._barrier = 0

    def run(self) -> list[int]:
        """All places, in order."""
        done: list[int] = []
        while len(done) < self._graph.size:
            place = self._next()
            if place is None:
                self._force()
            elif not self._finished[place]:
                done.append(place)
                self._finish(place)
        return done

    def _next(self) -> int | None:
        """The next place; None where all that could act is held by a barrier."""
        if self._urgent:
            return heapq.heappop(self._urgent)
        return heapq.heappop(self._ready) if self._ready and self._free(self._ready[0]) else None

    def _free(self, place: int) -> bool:
        """Whether no barrier holds this place: none is left before it, and a barrier has nothing left before itself."""
        if self._finished[place] or self._barrier == len(self._barriers):
            return True
        barrier = self._barriers[self._barrier]
        return place < barrier or place == barrier == self._oldest

    def _finish(self, place: int) -> None:
        self._finished[place] = True
        while self._oldest < self._graph.size and self._finished[self._oldest]:
            self._oldest += 1
        while self._barrier < len(self._barriers) and self._finished[self._barriers[self._barrier]]:
            self._barrier += 1
        for then in self._graph.then[place]:
            self._waits[then] -= 1
            if not self._waits[then]:
                heapq.heappush(self._urgent if self._forced[then] else self._ready, then)

    def _force(self) -> None:
        """Let all that the first resource still waits for cross the barriers that hold it."""
        stack = [self._oldest]
        while stack:
            place = stack.pop()
            if self._finished[place] or self._forced[place]:
                continue
            self._forced[place] = True
            if not self._waits[place]:
                heapq.heappush(self._urgent, place)
            stack += self._graph.before[place]


def _notices(resources: Sequence[Resource], edges: Iterable[Edge], barriers: Sequence[int]) -> Iterator[str]:
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
