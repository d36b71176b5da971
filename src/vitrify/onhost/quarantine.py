"""What nobody declared, out of the way and kept: a path moved into a folder for root alone, with all that was known of it, and back.

    quarantine/ID/  entry.json  content

`content` is the very thing, moved by one rename where the file system is the same. Where it is there, it was taken; until then
`entry.json` says what was about to be.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from vitrify.core.diagnostic import Denied, TargetFailed, UsageInvalid
from vitrify.core.digest import JSON, PLAIN, JSONObject
from vitrify.onhost.beneath import Beneath, look
from vitrify.onhost.context import Context
from vitrify.onhost.faults import told
from vitrify.onhost.files import copy, hash_of
from vitrify.onhost.leasing import leased
from vitrify.onhost.memory import Holder
from vitrify.onhost.record import read_record, sync_folder, write_record
from vitrify.onhost.removal import remove_tree
from vitrify.onhost.scope import Here

FOLDER, ENTRY, CONTENT = "quarantine", "entry.json", "content"
_NAMES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}


def take(context: Context, arguments: JSONObject) -> JSONObject:
    """Move what is at `path` into the quarantine under the name `id`; `taken` is false where nothing was there.

    Called again with the same name it ends what was begun. TargetFailed where it cannot be moved; then it is where it was.
    """
    with _held(context, arguments) as here:
        place, path = _place(here, str(arguments["id"])), str(arguments["path"])
        with told(f"{path} cannot be taken out of the way"):
            if not os.path.lexists(f"{place}/{CONTENT}"):
                with suppress(FileNotFoundError, NotADirectoryError):  # gone by itself, or with the folder that it was in
                    _take(here, place, path, arguments)
            return {**(read_record(f"{place}/{ENTRY}") or {}), "taken": os.path.lexists(f"{place}/{CONTENT}")}


def _take(here: Here, place: str, path: str, arguments: JSONObject) -> None:
    with _at(here, path) as (folder, name):
        status = look(folder, name)
        if status is None:
            return
        for made in (Path(place).parent, Path(place)):
            made.mkdir(mode=0o700, exist_ok=True)
        about = {key: arguments.get(key) for key in ("id", "path", "why", "entry", "by")}
        mine: JSONObject = {"format": 1, "project": here.scope.project, "server": here.scope.server, "at": round(here.context.clock())}
        write_record(f"{place}/{ENTRY}", {**mine, **about, **_described(folder, name, status)})
        here.context.reached("quarantine.intent")
        _move(folder, name, status, place)
        here.context.reached("quarantine.act")


def _described(folder: int, name: str, status: os.stat_result) -> JSONObject:
    found: Dict[str, JSON] = {
        "type": _NAMES.get(stat.S_IFMT(status.st_mode), "other"),
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "uid": status.st_uid,
        "gid": status.st_gid,
        "size": status.st_size,
        "modified_at": int(status.st_mtime),
        "changed_at": int(status.st_ctime),
    }
    if stat.S_ISREG(status.st_mode):
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            found["sha256"] = hash_of(descriptor).replace(PLAIN, "")
        finally:
            os.close(descriptor)
    return found


def _move(folder: int, name: str, status: os.stat_result, place: str) -> None:
    try:
        os.rename(name, f"{place}/{CONTENT}", src_dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EXDEV or not stat.S_ISREG(status.st_mode):
            raise
        _carry(folder, name, f"{place}/{CONTENT}")
        os.unlink(name, dir_fd=folder)
    sync_folder(place)
    os.fsync(folder)


def _carry(folder: int, name: str, target: str) -> None:
    """Another file system: the bytes and the times are carried over, the rest is in the record. The old name goes last."""
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        made = os.open(f"{target}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            copy(source, made)
            status = os.fstat(source)
            os.utime(made, ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(made)
        finally:
            os.close(made)
        Path(f"{target}.new").rename(target)
    finally:
        os.close(source)


def put_back(context: Context, arguments: JSONObject) -> JSONObject:
    """Move it back to where it was; Denied where something else is there by now. Called again it ends what was begun, or does nothing."""
    with _held(context, arguments) as here:
        place = _place(here, str(arguments["id"]))
        found = _known(here, place)
        if found is None:
            return {}
        path = str(found["path"])
        with told(f"{path} cannot be put back"), _at(here, path) as (folder, name):
            if os.path.lexists(f"{place}/{CONTENT}"):
                if look(folder, name) is not None:
                    raise Denied(f"there is something at {path} by now", hint="move that away first; what is in quarantine stays there")
                here.context.reached("quarantine-back.intent")
                _return(place, folder, name, found)
                here.context.reached("quarantine-back.act")
            remove_tree(place)
        return found


def _return(place: str, folder: int, name: str, found: JSONObject) -> None:
    try:
        os.rename(f"{place}/{CONTENT}", name, dst_dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise TargetFailed(
            f"{found['path']} is on another file system", why="only a rename brings back all that it had", hint=f"copy {place}/{CONTENT}"
        ) from None
    os.fsync(folder)


def discard(context: Context, arguments: JSONObject) -> JSONObject:
    """Remove it for good; harmless where that was done."""
    with _held(context, arguments) as here:
        place = _place(here, str(arguments["id"]))
        with told(f"{place} cannot be removed"):
            if _known(here, place):
                remove_tree(place)
        return {"id": arguments["id"]}


def listed(context: Context, arguments: JSONObject) -> JSONObject:
    """What of this server is in quarantine here, oldest first."""
    here = Here.at(context, arguments)
    top = Path(here.memory.path(FOLDER))
    places = sorted(top.iterdir()) if here.memory.there() and top.is_dir() else []
    found: List[JSON] = [record for place in places if (record := _record(here, str(place))) is not None]
    return {"entries": found}


def _record(here: Here, place: str) -> Optional[JSONObject]:
    return _known(here, place) if os.path.lexists(f"{place}/{CONTENT}") else None


def _known(here: Here, place: str) -> Optional[JSONObject]:
    """The record of a thing of this very server."""
    record = read_record(f"{place}/{ENTRY}")
    ours = record is not None and (record.get("project"), record.get("server")) == (here.scope.project, here.scope.server)
    return record if ours else None


def _place(here: Here, name: str) -> str:
    if not name.replace("-", "").isalnum():
        raise UsageInvalid(f"{json.dumps(name)} is no name of a thing in quarantine")
    return here.memory.path(FOLDER, name)


@contextmanager
def _at(here: Here, path: str) -> Iterator[Tuple[int, str]]:
    """The folder that holds it, opened without following a link out of the target, and its name there."""
    with Beneath((here.scope.root,)).at(path) as spot:
        if not spot.parts or spot.folders[0] is None:
            raise TargetFailed(f"{path} cannot be taken out of the way", why="it is a root")
        yield spot.folders[0], spot.name


@contextmanager
def _held(context: Context, arguments: JSONObject) -> Iterator[Here]:
    here = Here.at(context, arguments)
    operation, by = (str(arguments.get(name, "")) for name in ("operation", "by"))
    with leased(here, arguments, reason="quarantine", operation=operation), here.memory.held(Holder(by, operation), context.clock):
        yield here


CALLS: Dict[str, Callable[[Context, JSONObject], JSONObject]] = {
    "quarantine.take": take,
    "quarantine.put_back": put_back,
    "quarantine.discard": discard,
    "quarantine.list": listed,
}
