"""Where a server's requests go: a folder of twenty addresses for each set, and one link that names the current one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import List

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.onhost.caddy import NOWHERE, SLOTS
from vitrify.onhost.record import sync_folder, write_record, write_whole
from vitrify.onhost.removal import remove_tree

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}")
_ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9a-f:]+\]):[0-9]{1,5}")
_NONE = "none"

KEPT_SETS = 8
"""Sets that stay beside the current one, so that going back to one writes nothing."""


def checked(name: str) -> str:
    """The name, where it can be a folder's."""
    if not _NAME.fullmatch(name):
        raise TargetFailed(f"{name!r} cannot be the name of a folder")
    return name


def make_set(folder: str, name: str, addresses: JSON) -> str:
    """Make the folder of a set, complete or not at all; returns its path from the server's folder."""
    given = [str(address) for address in addresses] if isinstance(addresses, list) else []
    if not given or len(given) > SLOTS or not all(_ADDRESS.fullmatch(address) for address in given):
        raise TargetFailed(f"traffic cannot be sent to {given}", hint=f"one to {SLOTS} addresses, each host:port")
    # The addresses are part of the name: a set that traffic goes to is never edited.
    place = f"sets/{checked(name)}.{digest_of(given)[-12:]}"
    if not Path(folder, place).is_dir():
        _fill(f"{folder}/{place}", given, {"name": name, "addresses": [*given]})
    return place


def _fill(place: str, addresses: List[str], record: JSONObject) -> None:
    making = f"{place}.making"
    remove_tree(making)
    Path(making).mkdir(parents=True)
    write_record(f"{making}/set.json", record)
    for index in range(SLOTS):
        # One file for each address and links to it: a sync for each of twenty files takes longer than the switch.
        if index < len(addresses):
            write_whole(f"{making}/{index}", addresses[index].encode())
        else:
            os.link(f"{making}/{index % len(addresses)}", f"{making}/{index}")
    sync_folder(making)
    Path(making).rename(place)
    sync_folder(str(Path(place).parent))


def point(folder: str, place: str) -> None:
    """Make this set the current one, by one rename; whoever calls makes it durable."""
    new = Path(folder, ".current")
    new.unlink(missing_ok=True)
    new.symlink_to(place)
    new.rename(f"{folder}/current")


def serve_nothing_yet(folder: str) -> None:
    """Give a server something that answers until its first switch."""
    if Path(folder, "current").is_symlink():
        return
    if not Path(folder, "sets", _NONE).is_dir():
        _fill(f"{folder}/sets/{_NONE}", [NOWHERE], {"name": "", "addresses": []})
    point(folder, f"sets/{_NONE}")
    sync_folder(folder)


def prune(folder: str) -> None:
    """Remove old sets."""
    current = Path(folder, "current").resolve()
    sets = [place for place in Path(folder, "sets").iterdir() if place != current and place.name != _NONE]
    for place in sorted(sets, key=lambda place: place.stat().st_mtime, reverse=True)[KEPT_SETS:]:
        remove_tree(str(place))
