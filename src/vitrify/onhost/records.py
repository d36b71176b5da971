"""One folder of a fingerprint as bytes: what is in it, what `lstat` said, and the digest of it with all below.

The form is specified in `docs/formats/baseline.md`. A record is never edited: whatever changes is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from typing import Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import PLAIN
from vitrify.onhost.fingerprint import NEVER, SEEN, Print, Taken

_HEAD = struct.Struct(">6I32s")
_UNKNOWN = bytes(32)
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
Raw = Union[bytes, memoryview]


class Parts(NamedTuple):
    """A record taken apart: path, names of its entries but folders, names of its folders, and of it and each entry what was seen."""

    path: bytes
    names: bytes
    folders: bytes
    seen: bytes
    prints: bytes
    """JSON: the fingerprint of the folder itself, then of each entry."""


class Record:
    """The record of one folder, as it is kept."""

    __slots__ = ("raw",)

    def __init__(self, raw: Raw) -> None:
        self.raw = raw

    @classmethod
    def of(cls, path: str, own: Taken, entries: Mapping[bytes, Taken], folders: Iterable[bytes]) -> Record:
        """Made of what was found in a folder."""
        names = sorted(entries)
        prints = _encode([own.print, *[entries[name].print for name in names]]).encode()
        seen = b"".join([own.seen, *[entries[name].seen for name in names]])
        return cls.joined(Parts(os.fsencode(path), b"\0".join(names), b"\0".join(sorted(folders)), seen, prints))

    @classmethod
    def joined(cls, parts: Parts, digest: bytes = _UNKNOWN) -> Record:
        """Put together; the digest is that of it with all below, where it is known."""
        lengths = [len(part) for part in parts]
        return cls(_HEAD.pack(_HEAD.size + sum(lengths), *lengths, digest) + b"".join(parts))

    @property
    def parts(self) -> Parts:
        """Taken apart."""
        _, *lengths, _ = _HEAD.unpack_from(self.raw)
        found, at = [], _HEAD.size
        for length in lengths:
            found.append(bytes(self.raw[at : at + length]))
            at += length
        return Parts(*found)

    @property
    def path(self) -> str:
        """The folder."""
        _, length, *_ = _HEAD.unpack_from(self.raw)
        return os.fsdecode(bytes(self.raw[_HEAD.size : _HEAD.size + length]))

    @property
    def seen(self) -> memoryview:
        """What `lstat` said of the folder, then of each entry."""
        _, path, names, folders, seen, *_ = _HEAD.unpack_from(self.raw)
        at = _HEAD.size + path + names + folders
        return memoryview(self.raw)[at : at + seen]

    @property
    def digest(self) -> bytes:
        """Of this and all below; zeros where nobody has made it yet."""
        return bytes(_HEAD.unpack_from(self.raw)[-1])

    def __len__(self) -> int:
        """How many entries it has, with the folder itself."""
        return len(self.seen) // SEEN

    def same(self, other: Record) -> bool:
        """Whether both tell the same of the folder and its entries, whatever `lstat` said."""
        mine, theirs = self.parts, other.parts
        return (mine.names, mine.folders, mine.prints) == (theirs.names, theirs.folders, theirs.prints)

    def taken(self) -> Tuple[Taken, Dict[bytes, Taken]]:
        """The folder's own fingerprint, and those of its entries. IntegrityFailed where they cannot be read."""
        parts = self.parts
        try:
            rows = json.loads(parts.prints)
            found = [Taken(Print(*row), parts.seen[at * SEEN : (at + 1) * SEEN]) for at, row in enumerate(rows)]
            return found[0], {name: found[at] for at, name in enumerate(split(parts.names), 1)}
        except (ValueError, TypeError, IndexError) as error:
            raise IntegrityFailed(
                f"what the baseline says of {self.path} is damaged",
                why=str(error),
                hint="move the file `baseline` of vitrify's memory on that host away: the project has a copy",
            ) from None


def split(block: bytes) -> List[bytes]:
    """The names in such a block."""
    return block.split(b"\0") if block else []


def join(folder: str, name: bytes) -> str:
    """The path of an entry."""
    return f"{folder}{os.fsdecode(name)}" if folder.endswith("/") else f"{folder}/{os.fsdecode(name)}"


Tree = Dict[str, Record]
"""Folders and what is in them, by path; whatever lies at the top of it may be something else than a folder."""


def order(path: str) -> str:
    """What to sort by so that a folder comes before all in it, and they before all else."""
    return "" if path == "/" else path.replace("/", "\0")


def read_records(content: bytes, start: int) -> Iterator[Record]:
    """The records in these bytes. ValueError where they are no records."""
    view, at = memoryview(content), start
    while at < len(content):
        if at + _HEAD.size > len(content):
            raise ValueError("it is cut off")
        length, *lengths, _ = _HEAD.unpack_from(content, at)
        if length != _HEAD.size + sum(lengths) or at + length > len(content):
            raise ValueError("a record does not end where it says")
        yield Record(view[at : at + length])
        at += length


def with_digests(tree: Tree) -> Tree:
    """The same in order, each record with its digest; those of folders in which nothing is new are kept as they are."""
    found: Tree = {}
    moved: Dict[str, bool] = {}
    for path in sorted(tree, key=order, reverse=True):
        record = tree[path]
        if moved.pop(path, False) or record.digest == _UNKNOWN:
            parts = record.parts
            inner = [found.get(join(path, name)) for name in split(parts.folders)]
            record = Record.joined(parts, _digest(parts, [one.digest if one else _UNKNOWN for one in inner]))
            moved[path.rpartition("/")[0] or "/"] = True
        found[path] = record
    return dict(reversed(list(found.items())))


def _digest(parts: Parts, inner: Sequence[bytes]) -> bytes:
    running = hashlib.sha256(struct.pack(">3I", len(parts.names), len(parts.folders), len(parts.prints)))
    for part in (parts.names, parts.folders, parts.prints, *inner):
        running.update(part)
    return running.digest()


def seal(tree: Tree, folder: str) -> str:
    """The digest of every byte that is kept of a folder and all below, what `lstat` said included. The tree is in order."""
    running = hashlib.sha256()
    for path, record in tree.items():
        if below(folder, path):
            running.update(record.raw)
    return PLAIN + running.hexdigest()


def below(folder: str, path: str) -> bool:
    """Whether a path is this folder or lies in it."""
    return path == folder or path.startswith(folder if folder.endswith("/") else f"{folder}/")


def prints(record: Optional[Record]) -> Dict[str, Print]:
    """Path -> fingerprint of a folder and its entries."""
    if record is None:
        return {}
    own, entries = record.taken()
    path = record.path
    return {path: own.print, **{join(path, name): entry.print for name, entry in entries.items()}}


Difference = Tuple[Optional[Print], Optional[Print]]


def differing(before: Tree, after: Tree) -> Dict[str, Difference]:
    """What is in one of the two alone, or another there. A record that is in both costs nothing."""
    found: Dict[str, Difference] = {}
    for path in sorted({*before, *after}, key=order):
        old, new = before.get(path), after.get(path)
        if old is not new:
            found.update(_between(old, new))
    return found


def between(before: Tree, after: Tree, folder: str) -> Dict[str, Difference]:
    """The same of two trees with digests, from a folder on down: time goes with what differs."""
    found: Dict[str, Difference] = {}
    todo = [folder]
    while todo:
        path = todo.pop()
        old, new = before.get(path), after.get(path)
        if old and new and old.digest == new.digest:
            continue
        found.update(_between(old, new))
        inner = {name for record in (old, new) if record for name in split(record.parts.folders)}
        todo += [join(path, name) for name in inner]
    return found


def _between(old: Optional[Record], new: Optional[Record]) -> Dict[str, Difference]:
    if old and new and old.same(new):
        return {}
    mine, theirs = prints(old), prints(new)
    found: Dict[str, Difference] = {}
    for path in sorted({*mine, *theirs}):
        one, other = mine.get(path), theirs.get(path)
        if one is None or other is None or not one.same(other):
            found[path] = (one, other)
    return found


def never_seen(taken: Taken) -> Taken:
    """The same, to be looked at again."""
    return Taken(taken.print, NEVER)
