from __future__ import annotations

from pathlib import Path

from vitrify.onhost.removal import remove_tree


def test_a_folder_goes_with_all_that_its_modes_try_to_keep(tmp_path: Path) -> None:
    inner = tmp_path / "top" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    inner.chmod(0)
    (tmp_path / "top").chmod(0o500)

    remove_tree(str(tmp_path / "top"))

    assert list(tmp_path.iterdir()) == []


def test_a_link_goes_and_what_it_points_to_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "link").symlink_to(tmp_path / "kept")

    remove_tree(str(tmp_path / "top"))
    remove_tree(str(tmp_path / "link"))

    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]


def test_nothing_there_is_fine(tmp_path: Path) -> None:
    remove_tree(str(tmp_path / "nothing"))
