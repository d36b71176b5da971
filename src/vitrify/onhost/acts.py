"""Which changes share one announcement in the journal: those made in one act, and those that cannot feel each other."""

from __future__ import annotations

from typing import Container, List, Sequence, Set, Tuple

from vitrify.core.difference import Action, Change
from vitrify.core.resource import Address, Kinds

MOST = 100
"""So many confined changes at most are announced at a time: what a kill leaves open is looked at change by change."""


def acts(changes: Sequence[Change], kinds: Kinds, *, wished: Container[Address]) -> List[List[Change]]:
    """The changes in their order, those in one list that are announced together."""
    found: List[List[Change]] = []
    company: Tuple[object, ...] = ()
    near = _Near()
    for change in changes:
        kind = kinds[change.resource.address.kind]
        paths = kind.affected(change) if kind.confined else ()
        own = _company(change, kinds, wished, paths)
        joins = bool(found) and own == company != () and (kind.together or (len(found[-1]) < MOST and near.lets_in(paths)))
        if not joins:
            found.append([])
            company, near = own, _Near()
        found[-1].append(change)
        near.take(paths)
    return found


def _company(change: Change, kinds: Kinds, wished: Container[Address], paths: Sequence[str]) -> Tuple[object, ...]:
    """Equal for neighbours that may go together; empty for whatever is made alone, as what tells no paths is."""
    name, leaving = change.resource.address.kind, change.resource.address not in wished
    if kinds[name].together:
        return name, change.action is Action.REMOVE, leaving
    return ("confined", leaving) if paths else ()


class _Near:
    """The paths that a group writes, and the folders above them: what touches neither has the before-image that it has now."""

    def __init__(self) -> None:
        self._paths: Set[str] = set()
        self._above: Set[str] = set()

    def lets_in(self, paths: Sequence[str]) -> bool:
        return not any(path in self._above or path in self._paths or not self._paths.isdisjoint(_above(path)) for path in paths)

    def take(self, paths: Sequence[str]) -> None:
        self._paths.update(paths)
        for path in paths:
            self._above.update(_above(path))


def _above(path: str) -> List[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) or "/" for end in range(1, len(parts))]
