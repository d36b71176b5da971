"""Takes out of a root what differs from one making of it to the next and says nothing of what was wished for.

The one place where that is done: for what a bake wrote, and for a base that was made from packages. What is declared stays as declared.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from typing import Callable, Iterator, Tuple

from vitrify.core.digest import JSONObject
from vitrify.core.passwd import PATHS
from vitrify.core.system import Attributes
from vitrify.onhost.beneath import look
from vitrify.onhost.context import Context
from vitrify.onhost.owners import flatten
from vitrify.onhost.rooted import Rooted
from vitrify.onhost.rootview import OPAQUE
from vitrify.onhost.scope import Here

GONE = (
    r"/var/lib/dpkg/(status|diversions|statoverride|available)-old",
    r"/var/lib/apt/(lists|periodic|mirrors)/.*",
    r"/var/cache/apt/.*",
    r"/var/cache/debconf/.*-old",
    r"/var/cache/ldconfig/aux-cache",
    r"/var/cache/(man|fontconfig)/.*",
    r"/var/log/(alternatives|bootstrap|dpkg|fontconfig)\.log(\..*)?",
    r"/var/log/(apt|journal)/.*",
    r"/var/lib/dbus/machine-id",
    r"/var/lib/(systemd|urandom)/random-seed",
    r"/var/lib/systemd/credential\.secret",
    r"/etc/ssh/ssh_host_.*_key(\.pub)?",
    r"/etc/ssl/(private/ssl-cert-snakeoil\.key|certs/ssl-cert-snakeoil\.pem)",
    r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-",
    r"/etc/\.pwd\.lock",
    r"/run/.*",
    r"(/usr|/opt|/srv|/var/lib)/.*/__pycache__(/.*)?",
)
"""Files (and folders that are empty then) that are taken out: copies, caches, logs, keys and numbers of one machine, compiled Python."""
EMPTIED = r"/etc/machine-id"
"""Kept, and empty: systemd gives an instance its own."""
ROOTS = ("/var/cache/apt/archives/partial", "/var/lib/apt/lists/partial")
"""Folders that apt gives to whom it could become: here to root, whoever that was. It sets that right itself when it next runs."""
LEFT = ("/dev", "/proc", "/sys", "/var/lib/vitrify")
_CHANGED = 2
"""The field of a shadow that holds the day on which a password was changed."""
_GONE = re.compile("|".join(f"(?:{pattern})" for pattern in GONE))


def even(system: Rooted, *, declared: Callable[[str], bool]) -> None:
    """Take it out of the uppermost layer, but for paths that are declared."""
    for path, status in reversed(list(_entries(system.beneath.layers[0]))):
        if stat.S_ISDIR(status.st_mode):
            _unmark(system, path)
        if path == EMPTIED and stat.S_ISREG(status.st_mode) and status.st_size and not declared(path):
            system.write(path, b"", attributes=Attributes(mode="0444"))
        elif _GONE.fullmatch(path) and not declared(path) and _ours(system, path):
            _take_out(system, path, status)
    for path in ROOTS:
        if system.stat(path) is not None and _ours(system, path) and not declared(path):
            system.set_attributes(path, Attributes(mode="0700", owner="root", group="root"))
    _undate(system)


def _entries(folder: str) -> Iterator[Tuple[str, os.stat_result]]:
    """Every entry of a layer, a folder before what is in it; no link is followed."""
    waiting = [""]
    while waiting:
        below = waiting.pop()
        with os.scandir(f"{folder}{below}/") as listing:
            found = sorted((f"{below}/{entry.name}", entry.stat(follow_symlinks=False)) for entry in listing)
        for path, status in found:
            if path in LEFT:
                continue
            yield path, status
            if stat.S_ISDIR(status.st_mode):
                waiting.append(path)


def _unmark(system: Rooted, path: str) -> None:
    """No mark that a folder hides what is beneath where nothing is: some kernels set it on every new folder, others do not."""
    place = system.beneath.layers[0] + path
    marks = [mark for mark in OPAQUE if mark in os.listxattr(place, follow_symlinks=False)]
    if not marks:
        return
    with system.beneath.at(path) as spot:
        hidden = any(look(folder, spot.name) for folder in spot.folders[1:] if folder is not None)
    for mark in marks if not hidden else ():
        os.removexattr(place, mark, follow_symlinks=False)


def _ours(system: Rooted, path: str) -> bool:
    """Whether the uppermost layer shows something here: not the mark of something removed."""
    with system.beneath.at(path) as spot:
        entry = spot.entry()
    return entry is not None and entry.layer == 0


def _take_out(system: Rooted, path: str, status: os.stat_result) -> None:
    """As if it was never written: what a layer below has there shows again."""
    with system.beneath.at(path) as spot:
        folder = spot.folders[0]
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(spot.name, dir_fd=folder)
        elif path.endswith("/__pycache__"):  # any other folder is a package's own, which it may count on
            with suppress(OSError):
                os.rmdir(spot.name, dir_fd=folder)


def _undate(system: Rooted) -> None:
    """No date of a password: whoever bakes on another day bakes the same."""
    path = PATHS["shadow"]
    if system.stat(path) is None or not _ours(system, path):
        return
    content = system.read(path)
    lines = [line.split(":") for line in content.decode("utf-8", "surrogateescape").split("\n")]
    undated = [[*row[:_CHANGED], "", *row[_CHANGED + 1 :]] if len(row) > _CHANGED else row for row in lines]
    told = "\n".join(":".join(row) for row in undated).encode("utf-8", "surrogateescape")
    if told != content:
        system.write(path, told, attributes=Attributes())


def even_root(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `even`: a whole root that nobody declared anything in; with `owners`, it is plain afterwards, as with `bake`."""
    here = Here.at(context, arguments)
    even(here.system, declared=lambda _: False)
    return {"owners": flatten(here.scope.root)} if "owners" in arguments else {}


CALLS = {"even": even_root}
