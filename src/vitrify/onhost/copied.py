"""The project's copies of a baseline: what the host kept instead is not believed where it is another one.

A copy is the bytes of a folder's records, one after the other; its digest is its name. `docs/formats/baseline.md` has the form.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace
from typing import Dict, Iterator, List, Mapping

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.onhost.baseline import Baseline, outer
from vitrify.onhost.records import Record, Tree, below, order, read_records
from vitrify.onhost.scope import Here


def sealed_in(arguments: JSONObject) -> Mapping[str, str]:
    """The argument `sealed`: folder -> the seal of the copy that the project has and that its ledger vouches for."""
    found = arguments.get("sealed")
    return {folder: str(seal) for folder, seal in found.items()} if isinstance(found, dict) else {}


def wanted(here: Here, sealed: Mapping[str, str]) -> List[str]:
    """The copies that will be asked for."""
    kept = Baseline.remembered(here).seals if sealed else {}
    return [seal for folder, seal in sealed.items() if kept.get(folder) != seal]


def believed(here: Here, baseline: Baseline, sealed: Mapping[str, str]) -> Baseline:
    """The baseline that the host keeps; of a folder that is sealed otherwise the project's copy instead."""
    kept = baseline.seals if sealed else {}
    for folder, seal in sealed.items():
        if kept.get(folder) != seal:
            tree = {path: record for path, record in baseline.tree.items() if not below(folder, path)}
            tree.update(records_of(here.context.blob(seal), seal))
            ordered = {path: tree[path] for path in sorted(tree, key=order)}
            baseline = replace(baseline, folders=outer((*baseline.folders, folder)), tree=ordered)
    return baseline


def records_of(content: bytes, seal: str) -> Tree:
    """The records in a copy. IntegrityFailed where it is not the one with this seal."""
    if digest_bytes(content) != seal:
        raise IntegrityFailed("a copy of a baseline is damaged", why="its digest is another one")
    try:
        return {record.path: record for record in read_records(content, 0)}
    except ValueError as error:
        raise IntegrityFailed("a copy of a baseline is damaged", why=str(error)) from None


def copies(now: Baseline, before: Baseline, sealed: Mapping[str, str]) -> JSONObject:
    """What the project needs to have a copy of each folder: what differs from the one that it has, or everything."""
    had, have = before.seals, now.seals
    found: Dict[str, JSON] = {}
    for folder, seal in have.items():
        known = sealed.get(folder)
        base = before.tree if known is not None and known == had.get(folder) else {}
        if known != seal:
            found[folder] = _step(base, now.tree, folder, base=known if base else "")
    return found


def _step(old: Tree, new: Tree, folder: str, *, base: object) -> JSONObject:
    mine = {path for path in new if below(folder, path)}
    fresh = b"".join(new[path].raw for path in sorted(mine, key=order) if old.get(path) is not new[path])
    gone: List[JSON] = [path for path in old if below(folder, path) and path not in mine]
    return {"base": str(base), "gone": gone, "records": base64.b64encode(zlib.compress(fresh, 1)).decode()}


def stepped(content: bytes, step: JSONObject) -> bytes:
    """The copy after such a step from this one."""
    gone = step.get("gone")
    tree = {record.path: record for record in read_records(content, 0)}
    for path in gone if isinstance(gone, list) else ():
        tree.pop(str(path), None)
    tree.update((record.path, record) for record in _sent(step))
    return b"".join(tree[path].raw for path in sorted(tree, key=order))


def _sent(step: JSONObject) -> Iterator[Record]:
    return read_records(zlib.decompress(base64.b64decode(str(step["records"]))), 0)
