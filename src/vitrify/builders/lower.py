"""Unpacks a layer that was baked before into a folder that the next layer can be baked upon, as if it had just been written."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost.beneath import Beneath
from vitrify.onhost.layer import Root
from vitrify.onhost.layout import Checked, Descriptor

ROOT: Final = "root"
TABLE: Final = "table.json"
"""In the folder of an unpacked layer: its files, and the modes and owners that it and those beneath have beside those on disk."""


def write_table(folder: Path, table: JSONObject) -> None:
    """Put the table beside the files."""
    (folder / TABLE).write_text(json.dumps(table), encoding="utf-8")


def unpack_layer(layout: str, layer: Descriptor, table: JSONObject, folder: Path) -> None:
    """Fill an empty folder. IntegrityFailed where the blob is not what its digest says, Denied for what an honest layer never holds."""
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
    for path, row in sorted({**stamps, **table}.items()):  # folders before what is in them: the first of these open them to us
        if isinstance(row, dict):
            _as_baked(beneath, path, row)
    write_table(folder, table)


def _as_baked(beneath: Beneath, path: str, row: Mapping[str, JSON]) -> None:
    """Give an entry the mode and owner that it had on disk while it was baked: the table is only true of those."""
    disk = row.get("disk")
    mode, uid, gid = disk if isinstance(disk, list) and len(disk) == 3 else (row["mode"], row["uid"], row["gid"])
    try:
        with beneath.at(path) as spot:
            entry, folder = spot.entry(), spot.folders[0]
            if entry is None or folder is None or spot.path != path or stat.S_ISLNK(entry.status.st_mode):
                return
            if os.geteuid() == 0:
                os.chown(spot.name, int(str(uid)), int(str(gid)), dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISCHR(entry.status.st_mode):
                os.chmod(spot.name, int(str(mode), 8), dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return  # it is in a layer beneath, or was removed
