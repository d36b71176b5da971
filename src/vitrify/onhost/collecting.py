"""Takes away what no release needs on this host: unpacked roots, and images in the store here. The payload's `image.collect`.

Formats are in `docs/formats/instances.md`. The caller holds the lease of the server whose images these are, so nobody launches one.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Callable, FrozenSet, Iterator, List, Mapping, Set, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, PLAIN, JSONObject
from vitrify.onhost import shelving
from vitrify.onhost.context import Context
from vitrify.onhost.dropping import Drop, Dropped
from vitrify.onhost.launching import folders
from vitrify.onhost.layout import blob_path
from vitrify.onhost.record import read_record
from vitrify.onhost.removal import remove_tree

YOUNG = 3600.0
"""Seconds for which a layer that nothing names stays: another server's image that has it may be on its way here."""

_GONE = ".gone"


def collect(context: Context, arguments: JSONObject) -> JSONObject:
    """Of these images, those that no instance here was launched from go, with their roots. Returns what went, or would, and its bytes.

    Repeating it is harmless, and goes on with what a killed call left.
    """
    home, dry_run = str(arguments["home"]), arguments.get("dry_run") is True
    going = _asked(arguments) - used(home)
    try:
        roots, size = _roots(home, going, dry_run=dry_run)
        dropped = _store(home, going, context.clock(), dry_run=dry_run)
    except OSError as error:
        raise TargetFailed("what is not needed any more cannot be taken away", why=str(error)) from error
    images: List[JSON] = [*dropped.images]
    return {"roots": [*roots], "images": images, "blobs": len(dropped.blobs), "bytes": size + dropped.size}


def _asked(arguments: JSONObject) -> FrozenSet[str]:
    named = arguments["images"]
    found = frozenset(str(one) for one in named) if isinstance(named, list) else frozenset()
    for digest in found:
        blob_path("", digest)  # refuses what is no digest: it becomes a folder's name
    return found


def used(home: str) -> FrozenSet[str]:
    """The images of all instances, in whatever state: a stopped one is looked at by audits until it is discarded."""
    found: Set[str] = set()
    for folder in folders(home):
        spec = read_record(f"{folder}/spec.json")
        found.add(str(spec.get("image")) if spec else "")
    return frozenset(found)


def _roots(home: str, going: FrozenSet[str], *, dry_run: bool) -> Tuple[List[str], int]:
    """Names of the roots that went, and what they took. A root goes out of sight before it goes."""
    place = Path(home, "images")
    went: List[str] = []
    size = 0
    for digest in sorted(going):
        root = place / digest[len(PLAIN) :]
        if not root.is_dir():
            continue
        went.append(digest)
        size += taken(root)
        if not dry_run:
            clear_root(root)
    for left in place.glob(f".*{_GONE}") if not dry_run else ():
        remove_tree(str(left))
    return went, size


def clear_root(root: Path) -> None:
    """Remove an unpacked image: out of sight first, so that nobody finds half of one."""
    lock = os.open(root.with_name(f".{root.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        aside = root.with_name(f".{root.name}{_GONE}")
        remove_tree(str(aside))
        root.rename(aside)
        remove_tree(str(aside))
    finally:
        os.close(lock)


def taken(root: Path) -> int:
    """The bytes that a folder alone takes on the disk: what it shares with others stays when it goes."""
    size = 0
    for stat in _stats(str(root)):
        size += stat.st_blocks * 512 if stat.st_nlink == 1 or not _is_file(stat) else 0
    return size


def _is_file(stat: os.stat_result) -> bool:
    return (stat.st_mode & 0o170000) == 0o100000


def _stats(folder: str) -> Iterator[os.stat_result]:
    try:
        listing = os.scandir(folder)
    except PermissionError:
        return  # a folder that its image closed to everybody but root
    with listing:
        for entry in listing:
            yield entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                yield from _stats(entry.path)


def _store(home: str, going: FrozenSet[str], now: float, *, dry_run: bool) -> Dropped:
    """Images that were sent here; on the machine that bakes there is no store beneath its instances."""
    store = Path(home, "store")
    if not (store / "oci").is_dir():
        return Dropped()
    wall = max(now, time.time())  # what the clock of the files says
    with shelving.locked(store / "taking"):
        drop = Drop(going, spared=lambda path: wall - path.stat().st_mtime < YOUNG and PLAIN + path.name not in going)
        dropped = drop.carry_out(str(store / "oci"), dry_run=dry_run)
        if not dry_run:
            clear_lists(store / "cache" / "contents", str(store / "oci"))
    return dropped


def clear_lists(lists: Path, layout: str) -> None:
    """Remove the lists of contents of layers that are gone."""
    for file in lists.iterdir() if lists.is_dir() else ():
        if len(file.name) == 64 and not blob_path(layout, PLAIN + file.name).exists():
            shelving.remove(file)


CALLS: Mapping[str, Callable[[Context, JSONObject], JSONObject]] = {"image.collect": collect}
