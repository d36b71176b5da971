"""Unpacks a layer that was baked before into a folder that the next layer can be baked upon, as if it had just been written."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vitrify.builders.tree import Stamp
from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost.beneath import Beneath
from vitrify.onhost.layer import Root
from vitrify.onhost.layout import Checked, Descriptor
from vitrify.onhost.owners import plain as plain_mode

ROOT: Final = "root"
TABLE: Final = "table.json"
"""In the folder of an unpacked layer: its files, and the modes and owners that it and those beneath have beside those on disk."""
OWNERS: Final = "owners.json"
"""There as well, where somebody baked who is root of a user namespace alone: what the disk would say had they been root."""


def write_tables(folder: Path, table: JSONObject, owners: JSONObject) -> None:
    """Put the tables beside the files."""
    (folder / TABLE).write_text(json.dumps(table), encoding="utf-8")
    if owners:
        (folder / OWNERS).write_text(json.dumps(owners), encoding="utf-8")


def unpack_layer(layout: str, layer: Descriptor, table: JSONObject, folder: Path, *, plain: bool = False) -> None:
    """Fill an empty folder; with `plain`, everything in it belongs to whoever asks, and `OWNERS` says what it should be.

    IntegrityFailed where the blob is not what its digest says, Denied for what an honest layer never holds.
    """
    root = folder / ROOT
    root.mkdir(mode=0o755)
    place, blob = Root(str(root), beneath=True), Checked(layout, layer)
    try:
        place.apply(blob)
        blob.finish()
        stamps = place.finish()
    finally:
        blob.close()
        place.close()
    beneath = Beneath([str(root)])
    owners: JSONObject = {}
    for path, row in sorted({**stamps, **table}.items()):  # folders before what is in them: the first of these open them to us
        if isinstance(row, dict):
            found = _on_disk(row)
            if plain and path in stamps:
                owners[path] = {"mode": f"{found.mode:04o}", "uid": found.uid, "gid": found.gid}
            _as_baked(beneath, path, found, plain=plain)
    write_tables(folder, table, owners)


def _on_disk(row: Mapping[str, JSON]) -> Stamp:
    """The mode and owner that an entry had on disk while it was baked: the table is only true of those."""
    disk = row.get("disk")
    mode, uid, gid = disk if isinstance(disk, list) and len(disk) == 3 else (row["mode"], row["uid"], row["gid"])
    return Stamp(int(str(mode), 8), int(str(uid)), int(str(gid)))


def _as_baked(beneath: Beneath, path: str, stamp: Stamp, *, plain: bool) -> None:
    try:
        with beneath.at(path) as spot:
            entry, folder = spot.entry(), spot.folders[0]
            if entry is None or folder is None or spot.path != path or stat.S_ISLNK(entry.status.st_mode):
                return
            if os.geteuid() == 0:
                os.chown(spot.name, stamp.uid, stamp.gid, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISCHR(entry.status.st_mode):
                mode = plain_mode(stamp.mode, folder=stat.S_ISDIR(entry.status.st_mode)) if plain else stamp.mode
                os.chmod(spot.name, mode, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return  # it is in a layer beneath, or was removed
