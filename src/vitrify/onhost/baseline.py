"""The fingerprint that an audit compares with, as it is kept: folders under management, a record for each folder in them.

The form is specified in `docs/formats/baseline.md`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Dict, Iterable, List, Mapping, Set, Tuple

from vitrify.core import place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.resource import Resource
from vitrify.onhost.baseline_before import tree_of
from vitrify.onhost.files import write
from vitrify.onhost.memory import Memory, damaged
from vitrify.onhost.records import Tree, order, read_records, seal, split, with_digests
from vitrify.onhost.scope import Here
from vitrify.onhost.sweep import Sweep

FILE = "baseline"
FORMAT = 2
BEFORE = "baseline.json"
"""Where format 1 is: read until the next run moves the baseline on, which takes it away."""


@dataclass(frozen=True)
class Baseline:
    """Folders under management, and what was in them when vitrify was last done with each path."""

    folders: Tuple[str, ...] = ()
    tree: Tree = field(default_factory=dict)
    rests: Mapping[str, str] = field(default_factory=dict)
    """Of files with parts that are held: the digest of what else was in them then."""

    @classmethod
    def remembered(cls, here: Here) -> Baseline:
        """As it was kept; empty before the first run. IntegrityFailed where it is damaged, TargetFailed where it is newer than this."""
        content = here.memory.content(FILE) if here.memory.there() else None
        if content is not None:
            return _read(content, here.memory.path(FILE))
        data = here.memory.read(BEFORE) if here.memory.there() else None
        return _before(data, here.memory.path(BEFORE)) if data is not None else cls()

    def keep(self, memory: Memory) -> None:
        """Make it durable."""
        top: JSONObject = {"format": FORMAT, "folders": list(self.folders), "rests": dict(self.rests)}
        text = json.dumps(top, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        memory.put((FILE,), lambda descriptor: write(descriptor, b"".join([text, *(record.raw for record in self.tree.values())])))
        memory.remove(BEFORE)

    def within(self, folders: Iterable[str]) -> Tree:
        """The records of these folders and all below."""
        chosen = frozenset(folders)
        below = tuple(f"{folder.rstrip('/')}/" for folder in chosen)
        return {path: record for path, record in self.tree.items() if path in chosen or path.startswith(below)}

    def covers(self, folder: str) -> bool:
        """Whether all of this folder is in the baseline."""
        return any(folder == managed or place.inside(folder, managed) for managed in self.folders)

    def knows(self, path: str) -> bool:
        """Whether something was at this path."""
        if path in self.tree:
            return True
        record = self.tree.get(place.parent(path))
        return record is not None and os.fsencode(path.rpartition("/")[2]) in split(record.parts.names)

    @property
    def digest(self) -> str:
        """One digest over all fingerprints."""
        return digest_of({folder: self.tree[folder].digest.hex() for folder in self.folders if folder in self.tree})

    @property
    def seals(self) -> Dict[str, str]:
        """For each folder under management the digest of every byte that is kept of it."""
        return {folder: seal(self.tree, folder) for folder in self.folders}


def _read(content: bytes, path: str) -> Baseline:
    first, _, _ = content.partition(b"\n")
    try:
        top = json.loads(first)
        if top["format"] > FORMAT:
            raise TargetFailed(
                f"{path} was written by a newer vitrify",
                why=f"its format is {top['format']}, this version reads up to {FORMAT}",
                hint="upgrade vitrify",
            )
        tree = {record.path: record for record in read_records(content, len(first) + 1)}
        folders, rests = tuple(map(str, top["folders"])), {str(name): str(rest) for name, rest in top["rests"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, str(error)) from None
    return Baseline(folders, tree, rests)


def _before(data: Mapping[str, JSON], path: str) -> Baseline:
    folders, entries, rests = data.get("folders"), data.get("entries"), data.get("rests", {})
    if not isinstance(folders, list) or not isinstance(entries, dict) or not isinstance(rests, dict):
        raise damaged(path, "it has no folders or no entries")
    try:
        tree = with_digests(tree_of(entries))
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, f"an entry cannot be read: {error}") from None
    return Baseline(tuple(map(str, folders)), tree, {name: str(rest) for name, rest in rests.items()})


def managed_folders(resources: Iterable[Resource]) -> Tuple[str, ...]:
    """The folders that a declaration makes its own: declared folders and trees, without those inside others."""
    found: Set[str] = set()
    for resource in resources:
        named = {"tree": "to", "directory": "path"}.get(resource.address.kind)
        if named and not resource.absent:
            found.add(str(resource.fields[named]))
    return outer(found)


def sweeper(here: Here) -> Sweep:
    """Looks at folders of the target, but for vitrify's own memory."""
    memory = here.scope.memory
    root = "" if here.scope.root == "/" else here.scope.root.rstrip("/")
    own = memory[len(root) :] if memory.startswith(f"{root}/") else memory
    return Sweep(here.system, key=here.scope.key, now_ns=int(here.context.clock() * 1_000_000_000), skip=(own,))


def outer(folders: Iterable[str]) -> Tuple[str, ...]:
    """Without those inside others."""
    found = sorted(set(folders), key=order)
    kept: List[str] = []
    for folder in found:
        if not (kept and place.inside(folder, kept[-1])):
            kept.append(folder)
    return tuple(kept)
