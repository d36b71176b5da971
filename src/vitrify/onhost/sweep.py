"""The fingerprint of folders: one pass, nothing followed, nothing waited for, whatever somebody left lying there."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import AbstractSet, Dict, Iterable, List, Optional, Sequence, Tuple

from vitrify.onhost.copies import Answer, Copies, CopyLost, Shares, cores
from vitrify.onhost.faults import told
from vitrify.onhost.fingerprint import SEEN, Fingerprinter, Taken, size_seen
from vitrify.onhost.records import Record, Tree, below, order
from vitrify.onhost.rooted import Rooted
from vitrify.onhost.walk import Manner, Top, Walk

ALONE = 4 << 20
"""Bytes that one process reads before it asks others to help; opening a file counts as `_OPENING` of them, a look as `_LOOKING`."""
_OPENING = 16 << 10
_LOOKING = 512
_CHUNKS = 16
"""Parts for each process, so that one with large files holds nobody up for long."""
_AHEAD = 3
"""Levels of folders that are listed before a tree of which nothing is known is divided."""


@dataclass(frozen=True)
class Swept:
    """What one pass found, and what it cost."""

    tree: Tree
    entries: int = 0
    read: int = 0
    """Bytes of content."""


class Sweep:
    """One pass over folders of a target."""

    def __init__(self, system: Rooted, *, key: bytes, now_ns: int, skip: Sequence[str] = ()) -> None:
        self._system = system
        self._key = key
        self._now_ns = now_ns
        self._skip = frozenset(skip)

    def over(self, folders: Iterable[str], *, known: Tree, manner: Manner = Manner()) -> Swept:  # noqa: B008  it is frozen
        """These folders and all in them. A folder in which nothing differs from what is `known` has that very record.

        What looks as it is known is not read again, but for what the manner says.
        """
        tree: Tree = {}
        entries = read = 0
        for folder in folders:
            if folder in self._skip:
                continue
            with told(f"{folder} cannot be swept"), suppress(FileNotFoundError, NotADirectoryError):
                try:
                    more = self._folder(folder, known, manner, most=cores())
                except CopyLost:
                    more = self._folder(folder, known, manner, most=1)
                tree.update(more.tree)
                entries, read = entries + more.entries, read + more.read
        return Swept(tree, entries, read)

    def at(self, paths: Iterable[str]) -> Dict[str, Taken]:
        """Fingerprints of single paths; those where nothing is are left out."""
        found: Dict[str, Taken] = {}
        taken = self._fingerprinter()
        for path in paths:
            with (
                told(f"{path} cannot be looked at"),
                suppress(FileNotFoundError, NotADirectoryError),
                self._system.beneath.at(path) as spot,
            ):
                entry = spot.entry()
                folder = spot.folders[entry.layer] if entry else None
                if entry is not None and folder is not None:
                    found[path] = taken.of(folder, spot.name, lambda: spot.path)
        return found

    def lists(self, path: str) -> Optional[Tuple[AbstractSet[bytes], AbstractSet[bytes]]]:
        """The names in a folder, those of folders apart; None where it cannot be listed."""
        try:
            with self._system.beneath.folder(path) as (_, inner), os.scandir(inner[0]) as listed:
                found = [entry for entry in listed if f"{path.rstrip('/')}/{entry.name}" not in self._skip]
                folders = {os.fsencode(entry.name) for entry in found if entry.is_dir(follow_symlinks=False)}
                return {os.fsencode(entry.name) for entry in found} - folders, folders
        except OSError:
            return None

    def _fingerprinter(self) -> Fingerprinter:
        return Fingerprinter(self._system, key=self._key, now_ns=self._now_ns)

    def _folder(self, folder: str, known: Tree, manner: Manner, *, most: int) -> Swept:
        with self._system.beneath.at(folder) as spot:
            holder = spot.folders[0]
            if spot.entry() is None or holder is None:
                return Swept({})
            status = os.stat(spot.name, dir_fd=holder, follow_symlinks=False)
            top = Top(folder, spot.path, holder, spot.name, status.st_dev)
            if not stat.S_ISDIR(status.st_mode):
                own = self._fingerprinter()
                record = Record.of(folder, own.of(holder, spot.name, lambda: spot.path), {}, ())
                old = known.get(folder)
                return Swept({folder: old if old and old.same(record) else record}, 1, own.read)
            mine = {path: record for path, record in known.items() if below(folder, path)}
            walk = Walk(top, self._fingerprinter(), mine, self._skip, manner if mine else Manner(whole=True))
            paths = list(mine) or walk.ahead(_AHEAD if most > 1 else 0)
            return self._divided(walk, _parts(paths, mine, manner, most), mine, most=most)

    def _divided(self, walk: Walk, parts: List[List[str]], known: Tree, *, most: int) -> Swept:
        """Each part by whichever process is free; the first of them is this one."""
        copies, shares = Copies(), Shares(len(parts))
        try:
            for _ in range(min(most, len(parts)) - 1):
                _help(copies, partial(_as_copy, walk, parts, shares))
            _take(walk, parts, shares)
            answers = [_answer(walk), *copies.answers()]
        finally:
            copies.stop()
            shares.close()
            walk.close()
        return _together(answers, known)


def _help(copies: Copies, work: partial[Answer]) -> None:
    try:
        copies.start(work)
    except OSError as error:
        raise CopyLost("no process can be started to help") from error


def _as_copy(walk: Walk, parts: List[List[str]], shares: Shares) -> Answer:
    _take(walk, parts, shares)
    return _answer(walk)


def _take(walk: Walk, parts: List[List[str]], shares: Shares) -> None:
    for number in shares.mine():
        walk.over(parts[number])


def _answer(walk: Walk) -> Answer:
    changed: Answer = {path: (bytes(record.raw),) for path, record in walk.changed.items()}
    return {**changed, "": (tuple(walk.gone), walk.entries, walk.taken.read)}


def _together(answers: List[Answer], known: Tree) -> Swept:
    found, entries, read = dict(known), 0, 0
    for answer in answers:
        gone, more, bytes_read = answer.pop("")
        for path in gone:
            found.pop(path, None)
        entries, read = entries + more, read + bytes_read
    for answer in answers:
        found.update((path, Record(raw)) for path, (raw,) in answer.items())
    return Swept({path: found[path] for path in sorted(found, key=order)}, entries, read)


def _parts(paths: List[str], known: Tree, manner: Manner, most: int) -> List[List[str]]:
    """The folders in order, cut where about as much is to be done in each part; one part where it is little."""
    costs = {path: _cost(path, known, manner) for path in paths}
    whole = sum(costs.values())
    if most == 1 or whole <= ALONE:
        return [paths]
    share = whole / (most * _CHUNKS)
    parts: List[List[str]] = [[]]
    spent = 0.0
    for path, cost in costs.items():
        if spent >= share:
            parts.append([])
            spent = 0
        parts[-1].append(path)
        spent += cost
    return parts


def _cost(path: str, known: Tree, manner: Manner) -> int:
    if path not in known:
        return _OPENING * 8
    seen = known[path].seen
    count = len(seen) // SEEN
    return count * _OPENING + size_seen(bytes(seen)) if manner.reads(path) else count * _LOOKING
