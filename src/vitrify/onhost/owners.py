"""Keeps on disk what only root could leave there: owners and set-id bits, told in a table, given back for as long as a bake lasts.

Whoever bakes as root of a user namespace may give files to other ids, and outside of it neither read nor remove them. So what a bake
wrote is made plain at its end: it belongs to whoever baked, who may read it. Layers beneath get their owners back in a layer of their own
right above each, which holds nothing but what is not plain, and is gone with the bake.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from contextlib import contextmanager
from typing import Dict, Iterator, List, Mapping, Optional, Tuple

from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost.beneath import Beneath
from vitrify.onhost.removal import remove_tree

Stamp = Tuple[int, int, int]
"""Mode, uid and gid of an entry as whoever was root there left it."""


def plain(mode: int, *, folder: bool) -> int:
    """The mode that stays on disk: whoever baked may read and remove it, and nobody becomes them by running it."""
    return mode & 0o777 | (0o700 if folder else 0o400)


@contextmanager
def given_back(arguments: JSONObject) -> Iterator[JSONObject]:
    """The same call, over layers that have their owners: `owners` names a table for each folder beneath, "" where all is plain."""
    scope, tables = arguments.get("scope"), arguments.get("owners")
    if not isinstance(scope, dict) or not isinstance(tables, list):
        yield arguments
        return
    lower = scope.get("lower")
    folders = [str(folder) for folder in lower] if isinstance(lower, list) else []
    standing: List[JSON] = []
    made: List[str] = []
    try:
        for number, folder in enumerate(folders):
            table = _read(str(tables[number])) if number < len(tables) and tables[number] else {}
            if table:
                made.append(f"{scope['root']}.owners-{number}")
                _fill(made[-1], folder, table)
                standing.append(made[-1])
            standing.append(folder)
        yield {**arguments, "scope": {**scope, "lower": standing}}
    finally:
        for place in made:
            remove_tree(place)


def flatten(folder: str) -> JSONObject:
    """Make everything in a folder plain; `{path: {mode, uid, gid}}` of all that was not."""
    found = list(_entries(folder))  # before anything is changed: of two names for one file both say what it was
    table: Dict[str, JSON] = {}
    for path, status in found:
        if stat.S_ISCHR(status.st_mode):
            continue
        mode, place = stat.S_IMODE(status.st_mode), folder + path
        link, wanted = stat.S_ISLNK(status.st_mode), plain(mode, folder=stat.S_ISDIR(status.st_mode))
        if (status.st_uid, status.st_gid) != (0, 0):
            os.chown(place, 0, 0, follow_symlinks=False)
        elif link or mode == wanted:
            continue
        if not link:
            os.chmod(place, wanted)
        if _is_text(path):  # what is no text is refused by whoever packs it
            table[path] = _row(mode, status.st_uid, status.st_gid)
    return table


def _entries(folder: str) -> Iterator[Tuple[str, os.stat_result]]:
    """All in a folder but itself, a folder before what is in it; no link is followed."""
    waiting = [""]
    while waiting:
        below = waiting.pop()
        with os.scandir(f"{folder}{below}/") as listing:
            found = [(f"{below}/{entry.name}", entry.stat(follow_symlinks=False)) for entry in listing]
        for path, status in found:
            yield path, status
            if stat.S_ISDIR(status.st_mode):
                waiting.append(path)


def _fill(made: str, folder: str, table: Mapping[str, Stamp]) -> None:
    """A layer of what is not plain, and of the folders on the way, which are as they are beneath."""
    os.mkdir(made, 0o700)
    beneath = Beneath([folder])
    for path, wanted in sorted(table.items()):
        status = None if _is_plain(wanted) else _status(beneath, path)
        if status is None or stat.S_ISCHR(status.st_mode) or _is_so(status, wanted):
            continue
        os.makedirs(made + (path if stat.S_ISDIR(status.st_mode) else os.path.dirname(path)), 0o700, exist_ok=True)
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(folder + path), made + path)
            os.chown(made + path, wanted[1], wanted[2], follow_symlinks=False)
        elif stat.S_ISREG(status.st_mode):
            shutil.copyfile(folder + path, made + path, follow_symlinks=False)
            os.utime(made + path, ns=(status.st_atime_ns, status.st_mtime_ns))
            _stamp(made + path, wanted)
    within = [path for path, status in _entries(made) if stat.S_ISDIR(status.st_mode)]
    for path in ("", *sorted(within))[::-1]:  # a folder after what is in it: it may be closed to us from then on
        _stamp(made + path, table.get(path, (stat.S_IMODE(os.lstat(folder + path).st_mode), 0, 0)))


def _status(beneath: Beneath, path: str) -> Optional[os.stat_result]:
    """What is there, if the path leads to it by real folders alone: others packed some of these layers."""
    try:
        with beneath.at(path) as spot:
            entry = spot.entry()
            return entry.status if entry is not None and spot.path == path else None
    except (FileNotFoundError, NotADirectoryError):
        return None  # it was taken out since


def _stamp(place: str, wanted: Stamp) -> None:
    """Its owner first: changing it takes set-id bits away."""
    mode, uid, gid = wanted
    os.chown(place, uid, gid, follow_symlinks=False)
    os.chmod(place, mode)


def _is_plain(wanted: Stamp) -> bool:
    """Whether this is on disk as it should be, for all that the table can tell."""
    mode, uid, gid = wanted
    return (uid, gid) == (0, 0) and mode & 0o7600 == 0o600


def _is_so(status: os.stat_result, wanted: Stamp) -> bool:
    mode, uid, gid = wanted
    same = stat.S_ISLNK(status.st_mode) or stat.S_IMODE(status.st_mode) == mode
    return same and (status.st_uid, status.st_gid) == (uid, gid)


def _read(path: str) -> Dict[str, Stamp]:
    with open(path, encoding="utf-8") as file:
        told = json.load(file)
    return {str(at): (int(str(row["mode"]), 8), int(row["uid"]), int(row["gid"])) for at, row in told.items()}


def _row(mode: int, uid: int, gid: int) -> JSONObject:
    return {"mode": f"{mode:04o}", "uid": uid, "gid": gid}


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
