"""Follows one run, and moves the baseline on by what that run did, and by nothing else."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import Dict, Iterable, Iterator, Mapping, Optional, Sequence, Set, Tuple

from vitrify.core import place
from vitrify.core.difference import Change
from vitrify.core.digest import JSONObject
from vitrify.core.resource import Kinds, Resource, Sureness
from vitrify.onhost.baseline import Baseline, managed_folders, outer, sweeper
from vitrify.onhost.copied import believed, copies
from vitrify.onhost.editing import Editing
from vitrify.onhost.fingerprint import Taken
from vitrify.onhost.ownership import Holding
from vitrify.onhost.records import Tree, below, differing, never_seen, with_digests
from vitrify.onhost.rests import Parts, parts_of, rest_of
from vitrify.onhost.scope import Here


class Keeper:
    """Remembers what a run touched and took over."""

    def __init__(self, here: Here, sealed: Mapping[str, str]) -> None:
        self._here = here
        self._sealed = sealed
        self._touched: Set[str] = set()
        self._taken_over: Dict[str, Tuple[str, ...]] = {}
        self._shared: Set[str] = set()

    def sweep(self, folders: Iterable[str], known: Tree) -> Tree:
        """The folders as they are now."""
        return sweeper(self._here).over(folders, known=known).tree

    def touched(self, paths: Iterable[str]) -> None:
        """These were changed by us. The folder around an entry changes with it: its time, and how many folders it holds."""
        for path in paths:
            self._touched.update((path, place.parent(path)))

    def taken_over(self, resource: Resource) -> None:
        """This was found as it is declared: whoever made it so, it is authorised now, and of its rights no more than is declared.

        What only shares its file with others says nothing about the rest of that file: see `move_on`.
        """
        kinds = self._here.context.kinds
        if resource.absent or resource.address.kind not in kinds:  # one from elsewhere, which nobody sends along any more
            return
        kind = kinds[resource.address.kind]
        if kind.shares:
            self._shared.update(kind.owned_paths(resource))
            return
        wished = kind.desired(resource)
        kept = tuple(name for name, field_ in _RIGHTS.items() if "type" in wished and field_ not in wished)
        self._taken_over.update((path, kept) for path in kind.owned_paths(resource))

    @contextmanager
    def watching(self, folders: Sequence[str]) -> Iterator[None]:
        """Whatever comes to differ in these folders meanwhile was changed by an act of ours that cannot tell us what it does."""
        before = self.sweep(folders, Baseline.remembered(self._here).tree) if folders else {}
        yield
        if folders:
            self.touched(differing(before, self.sweep(folders, before)))

    def move_on(self, folders: Iterable[str], held: Iterable[Resource] = (), *, of: Iterable[str]) -> JSONObject:
        """What is told of the baseline after this run, durable once this returns; folders that are new to it are recorded whole.

        `of` are the folders that the project holds, about which alone it is told.
        `held` are all that have a part in a file. A file in which such a part was taken over is authorised where nothing else in it
        changed: the rest of it is what the baseline knows.
        """
        old = believed(self._here, Baseline.remembered(self._here), self._sealed)
        parts = parts_of(self._here, held)
        self._take_shared(old, parts)
        paths = [path for path in sorted(self._touched.union(self._taken_over)) if old.covers(path)]
        new = [folder for folder in folders if not old.covers(folder)]
        fresh = {path: record for path, record in self.sweep(new, {}).items() if not old.covers(path)}
        moved = Baseline(outer((*old.folders, *new)), with_digests({**fresh, **self._edited(old, paths)}), old.rests)
        told = {path for path in parts if moved.knows(path) and not old.knows(path)}.union(paths)
        rests = {**old.rests, **{path: rest_of(self._here, path, parts) for path in told}}
        moved = replace(moved, rests={path: rest for path, rest in sorted(rests.items()) if rest and moved.knows(path)})
        moved.keep(self._here.memory)
        return told_of(moved, old, self._sealed, of=of)

    def _edited(self, old: Baseline, paths: Sequence[str]) -> Tree:
        now = sweeper(self._here).at(paths)
        editing = Editing(old.tree, tops=old.folders)
        for path in paths:
            rights = () if path in self._touched else self._taken_over[path]
            taken = now.get(path)
            editing.put(path, _with_rights_of(editing.before(path), taken, rights) if taken else None)
        return editing.tree(sweeper(self._here))

    def _take_shared(self, old: Baseline, parts: Parts) -> None:
        editing = Editing(old.tree, tops=old.folders)
        for path in self._shared - self._touched - self._taken_over.keys():
            same = path in old.rests and old.rests[path] == rest_of(self._here, path, parts)
            if same or (old.knows(path) and not self._differs(path, editing.before(path))):
                self._taken_over[path] = tuple(_RIGHTS)

    def _differs(self, path: str, before: Optional[Taken]) -> bool:
        now = sweeper(self._here).at([path]).get(path)
        return now is None or before is None or not now.print.same(before.print)


def untold(change: Change, kinds: Kinds) -> bool:
    """Whether nobody can say beforehand which paths an act will write: a command's, and those of what others choose."""
    return change.sureness is Sureness.OPAQUE or kinds[change.resource.address.kind].chooses


def told_of(now: Baseline, before: Baseline, sealed: Mapping[str, str], *, of: Iterable[str]) -> JSONObject:
    """What a project is told of a baseline after a run, to know it again, and to have a copy of it.

    Nothing of folders that only others hold: they move on without this project hearing of it.
    """
    mine = tuple(of)
    folders = tuple(folder for folder in now.folders if any(below(folder, one) or below(one, folder) for one in mine))
    ours = replace(now, folders=folders)
    return {"baseline": now.digest, "seals": dict(ours.seals), "found": dict(before.seals), "copies": copies(ours, before, sealed)}


def folders_of(project: str, ownership: Iterable[Holding]) -> Tuple[str, ...]:
    """The folders that this project makes its own on the target."""
    return managed_folders(holding.resource for holding in ownership if holding.project == project)


_RIGHTS: Mapping[str, str] = {"mode": "mode", "uid": "owner", "gid": "group"}
"""What a fingerprint says of an entry's rights, and the property that declares it."""


def _with_rights_of(before: Optional[Taken], now: Taken, kept: Iterable[str]) -> Taken:
    """What is there now, but these rights as they were. The next look must compare them: no `lstat` vouches for the mixture."""
    rights = {name: getattr(before.print, name) for name in kept} if before else {}
    mixed = now.print._replace(**rights)
    return now if mixed == now.print else never_seen(Taken(mixed, now.seen))
