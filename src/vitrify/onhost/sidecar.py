"""Modes and owners that a filesystem cannot hold: without root, and in an image, they live in a table beside the tree."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Optional, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject


@dataclass(frozen=True)
class Wanted:
    """Mode bits and numeric owner, as the target shows them."""

    mode: int
    uid: int
    gid: int


@dataclass(frozen=True)
class _Row:
    wanted: Wanted
    disk: Tuple[int, int, int]


class Sidecar:
    """Path -> what the target shows there. A row holds only while the disk still looks as it did when the row was made."""

    def __init__(self, rows: Mapping[str, JSON], *, save: Optional[Callable[[JSONObject], None]] = None) -> None:
        self._rows = {path: _row(row) for path, row in rows.items() if isinstance(row, dict)}
        self._save = save
        self._changed = False

    def shown(self, path: str, status: os.stat_result) -> Optional[Wanted]:
        """What the table says of this entry; None where it says nothing, or somebody changed the entry behind its back."""
        row = self._rows.get(path)
        return row.wanted if row is not None and row.disk == _disk(status) else None

    def put(self, path: str, wanted: Wanted, status: os.stat_result) -> None:
        """Note what is to be shown; `status` is how the entry looks on disk now."""
        row = _Row(wanted, _disk(status))
        self._changed = self._changed or self._rows.get(path) != row
        self._rows[path] = row

    def drop(self, path: str) -> None:
        """The entry is gone, or is as it looks."""
        self._changed = self._rows.pop(path, None) is not None or self._changed

    def row(self, path: str) -> Optional[JSONObject]:
        """One row as it is kept, for a before-image."""
        row = self._rows.get(path)
        return None if row is None else _to_json(row)

    def put_back(self, path: str, row: Optional[JSONObject]) -> None:
        """The row of a before-image."""
        self._changed = True
        if row is None:
            self._rows.pop(path, None)
        else:
            self._rows[path] = _row(row)

    def keep(self) -> None:
        """Make it durable, where there is somewhere to."""
        if self._changed and self._save:
            self._save(self.rows())
        self._changed = False

    def rows(self) -> JSONObject:
        """All rows as they are kept, for another table of the same tree to begin with."""
        return {path: _to_json(row) for path, row in sorted(self._rows.items())}

    def table(self) -> JSONObject:
        """`{path: {mode, uid, gid}}`, modes in octal digits."""
        return {
            path: {"mode": f"{row.wanted.mode:04o}", "uid": row.wanted.uid, "gid": row.wanted.gid}
            for path, row in sorted(self._rows.items())
        }


def read_table(path: str) -> JSONObject:
    """The rows in a file, as `rows` gave them; TargetFailed where there is no such file, or something else in it."""
    try:
        found: JSON = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise TargetFailed(f"the table of attributes {path} cannot be read", why=str(error)) from error
    if not isinstance(found, dict):
        raise TargetFailed(f"{path} is no table of attributes")
    return found


def _disk(status: os.stat_result) -> Tuple[int, int, int]:
    return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid


def _to_json(row: _Row) -> JSONObject:
    mode, uid, gid = row.disk
    wanted = row.wanted
    return {"mode": f"{wanted.mode:04o}", "uid": wanted.uid, "gid": wanted.gid, "disk": [f"{mode:04o}", uid, gid]}


def _row(data: Mapping[str, JSON]) -> _Row:
    disk = data["disk"]
    if not isinstance(disk, list):
        raise TypeError("not a row of the table of attributes")
    wanted = Wanted(int(str(data["mode"]), 8), int(str(data["uid"])), int(str(data["gid"])))
    return _Row(wanted, (int(str(disk[0]), 8), int(str(disk[1])), int(str(disk[2]))))
