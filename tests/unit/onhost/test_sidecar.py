"""The table of attributes tells what the disk cannot, and never hides what somebody did to the disk."""

from __future__ import annotations

from pathlib import Path

from vitrify.core.digest import JSONObject
from vitrify.onhost.sidecar import Sidecar, Wanted

SECRET = Wanted(0o600, 0, 33)


def test_a_row_tells_until_the_disk_changes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    table = Sidecar({})
    table.put("/file", SECRET, path.stat())
    assert table.shown("/file", path.stat()) == SECRET

    path.chmod(0o777)

    assert table.shown("/file", path.stat()) is None


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    kept: list[JSONObject] = []
    table = Sidecar({}, save=kept.append)
    table.put("/file", SECRET, tmp_path.stat())
    table.keep()
    table.keep()

    again = Sidecar(kept[0])

    assert len(kept) == 1
    assert again.shown("/file", tmp_path.stat()) == SECRET
    assert again.table() == {"/file": {"mode": "0600", "uid": 0, "gid": 33}}


def test_a_row_comes_back_from_a_before_image(tmp_path: Path) -> None:
    table = Sidecar({})
    table.put("/file", SECRET, tmp_path.stat())
    row = table.row("/file")
    table.drop("/file")
    assert table.row("/file") is None

    table.put_back("/file", row)

    assert table.shown("/file", tmp_path.stat()) == SECRET
