"""The fingerprint that an audit compares with: taken when a folder comes under management, moved on only by what a run changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Dict, Iterable, List, Mapping, Optional, Set, Tuple

from vitrify.core import place
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.resource import Resource
from vitrify.onhost.fingerprint import Known
from vitrify.onhost.rests import Parts, parts_of, rest_of
from vitrify.onhost.scope import Here
from vitrify.onhost.sweep import Fingerprints, Sweep

FILE = "baseline.json"


@dataclass(frozen=True)
class Baseline:
    """Folders under management, and what was in them when vitrify was last done with each path."""

    folders: Tuple[str, ...] = ()
    entries: Mapping[str, Known] = field(default_factory=dict)
    rests: Mapping[str, str] = field(default_factory=dict)
    """Of files with parts that are held: the digest of what else was in them then."""

    @classmethod
    def remembered(cls, here: Here) -> Baseline:
        """As it was kept; empty before the first run."""
        data = here.memory.read(FILE) if here.memory.there() else None
        if data is None:
            return cls((), {})
        folders, entries, rests = data["folders"], data["entries"], data.get("rests", {})
        if not isinstance(folders, list) or not isinstance(entries, dict):
            raise TypeError("not a baseline")
        known = {path: _known(row) for path, row in entries.items()}
        return cls(tuple(map(str, folders)), known, {path: str(rest) for path, rest in rests.items()} if isinstance(rests, dict) else {})

    def keep(self, here: Here) -> None:
        """Make it durable."""
        rows: Dict[str, JSON] = {path: {"print": known.print, "seen": list(known.seen)} for path, known in self.entries.items()}
        here.memory.write(FILE, {"folders": list(self.folders), "entries": rows, "rests": dict(self.rests)})

    def within(self, folders: Iterable[str]) -> Dict[str, Known]:
        """The entries of these folders."""
        chosen = frozenset(folders)
        below = tuple(f"{folder.rstrip('/')}/" for folder in chosen)
        return {path: known for path, known in self.entries.items() if path in chosen or path.startswith(below)}

    def covers(self, folder: str) -> bool:
        """Whether all of this folder is in the baseline."""
        return any(_in(folder, managed) for managed in self.folders)

    @property
    def digest(self) -> str:
        """One digest over all fingerprints."""
        return digest_of({path: known.print for path, known in sorted(self.entries.items())})


def differing(before: Mapping[str, Known], after: Mapping[str, Known]) -> Tuple[str, ...]:
    """The paths that are in one of the two alone, or have another fingerprint there."""
    same = {path for path, known in after.items() if path in before and (before[path] is known or before[path].print == known.print)}
    return tuple(sorted({*before, *after} - same))


def prints(entries: Mapping[str, Known], paths: Iterable[str]) -> JSONObject:
    """Path -> fingerprint of those of the paths that are there, as it is sent."""
    return {path: entries[path].print for path in paths if path in entries}


def _known(row: JSON) -> Known:
    if not isinstance(row, dict) or not isinstance(row["print"], dict) or not isinstance(row["seen"], list):
        raise TypeError("not a fingerprint")
    return Known(row["print"], tuple(row["seen"]))  # type: ignore[arg-type]  # other values than numbers equal no `lstat`, and do no harm


def _in(path: str, folder: str) -> bool:
    return path == folder or place.inside(path, folder)


def managed_folders(resources: Iterable[Resource]) -> Tuple[str, ...]:
    """The folders that a declaration makes its own: declared folders and trees, without those inside others."""
    found: Set[str] = set()
    for resource in resources:
        named = {"tree": "to", "directory": "path"}.get(resource.address.kind)
        if named and not resource.absent:
            found.add(str(resource.fields[named]))
    return tuple(folder for folder in sorted(found) if not any(place.inside(folder, other) for other in found))


class Keeper:
    """Follows one run: remembers what it touched, and moves the baseline on by that alone."""

    def __init__(self, here: Here) -> None:
        self._here = here
        self._touched: Set[str] = set()
        self._taken_over: Dict[str, Tuple[str, ...]] = {}
        self._shared: Set[str] = set()

    def sweep(self, folders: Iterable[str], known: Mapping[str, Known]) -> Fingerprints:
        """The folders as they are now."""
        return sweep(self._here, folders, known)

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

    def compare(self, before: Mapping[str, Known], after: Mapping[str, Known]) -> None:
        """Whatever differs was changed by a command of ours, which cannot tell us what it does."""
        self.touched(differing(before, after))

    def move_on(self, folders: Iterable[str], held: Iterable[Resource] = ()) -> Baseline:
        """The baseline after this run, durable once this returns; folders that are new to it are recorded whole.

        `held` are all that have a part in a file. A file in which such a part was taken over is authorised where nothing else in it
        changed: the rest of it is what the baseline knows.
        """
        old = Baseline.remembered(self._here)
        parts = parts_of(self._here, held)
        self._take_shared(old, parts)
        entries: Dict[str, Known] = dict(old.entries)
        paths: List[str] = [path for path in sorted(self._touched.union(self._taken_over)) if old.covers(path)]
        for path in paths:
            entries.pop(path, None)
        for path, known in Sweep(self._here.system, key=self._here.scope.key).at(paths, now_ns=_now(self._here)).items():
            kept = () if path in self._touched else self._taken_over[path]
            entries[path] = _with_rights_of(old.entries.get(path), known, kept)
        new = [folder for folder in folders if not old.covers(folder)]
        for path, known in self.sweep(new, {}).items():
            entries.setdefault(path, known)
        told = {path for path in parts if path in entries and path not in old.entries}.union(paths)
        rests = {**old.rests, **{path: rest_of(self._here, path, parts) for path in told}}
        rests = {path: rest for path, rest in sorted(rests.items()) if rest and path in entries}
        baseline = replace(old, folders=_outer((*old.folders, *new)), entries=dict(sorted(entries.items())), rests=rests)
        baseline.keep(self._here)
        return baseline

    def _take_shared(self, old: Baseline, parts: Parts) -> None:
        for path in self._shared - self._touched - self._taken_over.keys():
            same = path in old.rests and old.rests[path] == rest_of(self._here, path, parts)
            if same or (path in old.entries and not self._differs(path, old.entries[path])):
                self._taken_over[path] = tuple(_RIGHTS)

    def _differs(self, path: str, before: Known) -> bool:
        now = Sweep(self._here.system, key=self._here.scope.key).at([path], now_ns=_now(self._here)).get(path)
        return now is None or now.print != before.print


_RIGHTS = {"mode": "mode", "uid": "owner", "gid": "group"}
"""What a fingerprint says of an entry's rights, and the property that declares it."""


def _with_rights_of(before: Optional[Known], now: Known, kept: Iterable[str]) -> Known:
    """What is there now, but these rights as they were. The next look must compare them: no `lstat` vouches for the mixture."""
    rights = {name: before.print[name] for name in kept if name in before.print} if before else {}
    return now if all(now.print.get(name) == value for name, value in rights.items()) else Known({**now.print, **rights})


def sweep(here: Here, folders: Iterable[str], known: Mapping[str, Known]) -> Fingerprints:
    """Folders as they are now, without vitrify's own memory."""
    memory = here.scope.memory
    root = "" if here.scope.root == "/" else here.scope.root.rstrip("/")
    own = memory[len(root) :] if memory.startswith(f"{root}/") else memory
    return Sweep(here.system, key=here.scope.key, skip=(own,)).over(_outer(folders), known=known, now_ns=_now(here))


def _outer(folders: Iterable[str]) -> Tuple[str, ...]:
    """Without those inside others."""
    found = set(folders)
    return tuple(folder for folder in sorted(found) if not any(place.inside(folder, other) for other in found))


def _now(here: Here) -> int:
    return int(here.context.clock() * 1_000_000_000)
