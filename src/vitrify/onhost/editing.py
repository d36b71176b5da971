"""Changes to a tree of records, path by path: only the folders around them are taken apart."""

from __future__ import annotations

import os
from typing import Dict, Iterable, List, Optional, Set

from vitrify.core import place
from vitrify.onhost.fingerprint import NEVER, Taken
from vitrify.onhost.records import Record, Tree, join, split
from vitrify.onhost.sweep import Sweep


class _Folder:
    """One folder, taken apart."""

    def __init__(self, own: Taken, entries: Dict[bytes, Taken], folders: Set[bytes]) -> None:
        self.own = own
        self.entries = entries
        self.folders = folders


class Editing:
    """A tree that is being changed; the one it began with stays as it is."""

    def __init__(self, tree: Tree, *, tops: Iterable[str]) -> None:
        self._tree = dict(tree)
        self._tops = frozenset(tops)
        self._open: Dict[str, _Folder] = {}
        self._edited: Set[str] = set()

    def before(self, path: str) -> Optional[Taken]:
        """What stands there now."""
        found = self._folder(path)
        if found is not None:
            return found.own
        above = self._folder(place.parent(path))
        return above.entries.get(_name(path)) if above else None

    def put(self, path: str, taken: Optional[Taken]) -> None:
        """Let this stand at a path; None takes away what is there, with all in it."""
        above = self._folder(place.parent(path)) if path not in self._tops else None
        folder = taken is not None and taken.print.type == "directory"
        if above is not None:
            self._edited.add(place.parent(path))
            _put(above, _name(path), taken, as_folder=folder)
        inner = self._folder(path)
        if not folder:
            self._drop(path)
        if taken is None or not (path in self._tops or (folder and above is not None)):
            return
        self._edited.add(path)
        if folder and inner is not None:
            inner.own = taken
        else:
            self._open[path] = _Folder(taken, {}, set())

    def tree(self, sweep: Sweep) -> Tree:
        """The tree with all that was changed. What is listed in a changed folder now decides whether its names can be relied on."""
        for path in self._edited & self._open.keys():
            folder = self._open[path]
            seen = folder.own.seen if sweep.lists(path) == (folder.entries.keys(), folder.folders) else NEVER
            self._tree[path] = Record.of(path, Taken(folder.own.print, seen), folder.entries, folder.folders)
        return self._tree

    def _folder(self, path: str) -> Optional[_Folder]:
        if path not in self._open and path in self._tree:
            record = self._tree[path]
            own, entries = record.taken()
            self._open[path] = _Folder(own, entries, set(split(record.parts.folders)))
        return self._open.get(path)

    def _drop(self, path: str) -> None:
        todo: List[str] = [path]
        while todo:
            here = todo.pop()
            folder = self._folder(here)
            if folder is not None:
                todo += [join(here, name) for name in folder.folders]
                del self._open[here]
                self._tree.pop(here, None)


def _put(folder: _Folder, name: bytes, taken: Optional[Taken], *, as_folder: bool) -> None:
    folder.entries.pop(name, None)
    folder.folders.discard(name)
    if as_folder:
        folder.folders.add(name)
    elif taken is not None:
        folder.entries[name] = taken


def _name(path: str) -> bytes:
    return os.fsencode(path.rpartition("/")[2])
