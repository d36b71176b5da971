"""A file that is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitrify.core.diagnostic import UsageInvalid, VitrifyError
from vitrify.project import whole_file


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("former")

    whole_file.write("new\n", str(tmp_path / "a"))

    assert (tmp_path / "a").read_text() == "new\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")

    whole_file.write("new", str(tmp_path / "a"))

    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "b").read_text() == "new"


def test_what_cannot_be_written_leaves_the_former_file_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()

    with pytest.raises(VitrifyError, match="was not written"):
        whole_file.write("new", str(tmp_path / "a"))

    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


@pytest.mark.parametrize("name", ["", "folder", "missing/a"])
def test_what_is_no_place_for_a_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(UsageInvalid):
        whole_file.writable(str(tmp_path / name))


def test_a_file_that_is_there_or_that_is_to_be_made_will_do(tmp_path: Path) -> None:
    (tmp_path / "a").touch()

    whole_file.writable(str(tmp_path / "a"))
    whole_file.writable(str(tmp_path / "b"))
