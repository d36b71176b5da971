"""Reads the fingerprints of format 1: one object for each path. What they did not say is not known, and differs from nothing."""

from __future__ import annotations

import os
from typing import Dict, List, Mapping, Optional

from vitrify.core import place
from vitrify.core.digest import JSON
from vitrify.onhost.fingerprint import CONTENT, NEVER, Print, Taken, as_seen
from vitrify.onhost.records import Record, Tree

_OPENED = ("file", "directory")
_VALUES = 9


def tree_of(entries: Mapping[str, JSON]) -> Tree:
    """The records that these entries make. ValueError, TypeError or KeyError where one is none."""
    taken = {path: _taken(row) for path, row in entries.items()}
    inner: Dict[str, Dict[bytes, Taken]] = {path: {} for path, one in taken.items() if one.print.type == "directory"}
    folders: Dict[str, List[bytes]] = {path: [] for path in inner}
    tops = []
    for path, one in taken.items():
        above, name = place.parent(path), os.fsencode(path.rpartition("/")[2])
        if path == "/" or above not in inner:
            tops.append(path)
        elif path in inner:
            folders[above].append(name)
        else:
            inner[above][name] = one
    # What was seen of a folder did not vouch for the names in it then.
    found = {path: Record.of(path, Taken(taken[path].print, NEVER), inner[path], folders[path]) for path in inner}
    found.update((path, Record.of(path, taken[path], {}, ())) for path in tops if path not in inner)
    return found


def _taken(row: JSON) -> Taken:
    if not isinstance(row, dict):
        raise TypeError("not a fingerprint")
    told, values = row["print"], row["seen"]
    if not isinstance(told, dict) or not isinstance(values, list):
        raise TypeError("not a fingerprint")
    seen = as_seen(int(str(value)) for value in values) if len(values) == _VALUES else NEVER
    return Taken(_print(told), seen)


def _print(told: Mapping[str, JSON]) -> Print:
    kind = str(told["type"])
    numbers = (int(str(told[name])) for name in ("uid", "gid", "nlink", "size", "mtime_ns"))
    xattrs = told.get("xattrs")
    known: Optional[Dict[str, str]] = {name: str(value) for name, value in xattrs.items()} if isinstance(xattrs, dict) else None
    if known is None and kind in _OPENED:
        known = {}
    content = _content(kind, told)
    uid, gid, nlink, size, mtime_ns = numbers
    return Print(kind, int(str(told["mode"]), 8), uid, gid, nlink, size, mtime_ns, content, None, known, str(told.get("note", "")))


def _content(kind: str, told: Mapping[str, JSON]) -> Optional[str]:
    if kind == "device":
        return None
    return str(told[CONTENT[kind]]) if kind in CONTENT else ""
