"""What inotify tells of folders and of single files, also of those that come later."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vitrify.onhost.inotify import Inotify


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app" / "inner").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "motd").write_text("hello\n")
    return tmp_path


def listening(folder: Path) -> Inotify:
    return Inotify([f"{folder}/app"], [f"{folder}/etc/motd"])


def test_a_change_in_a_folder_below_is_told_with_its_path(folder: Path) -> None:
    listener = listening(folder)

    (folder / "app" / "inner" / "new").write_text("x")

    assert (f"{folder}/app/inner/new", "created") in listener.hear()
    listener.close()


def test_a_folder_that_comes_later_is_listened_to_as_well(folder: Path) -> None:
    listener = listening(folder)
    (folder / "app" / "late").mkdir()
    list(listener.hear())

    (folder / "app" / "late" / "new").write_text("x")
    created = set(listener.hear())
    shutil.rmtree(folder / "app" / "late")

    assert (f"{folder}/app/late/new", "created") in created
    assert (f"{folder}/app/late", "removed") in listener.hear()
    listener.close()


def test_what_is_in_a_folder_before_anybody_listened_there_is_told_with_it(folder: Path) -> None:
    listener = listening(folder)

    (folder / "app" / "late" / "deep").mkdir(parents=True)
    (folder / "app" / "late" / "deep" / "new").write_text("x")

    told = set(listener.hear())
    assert {(f"{folder}/app/{path}", "created") for path in ("late", "late/deep", "late/deep/new")} <= told
    listener.close()


def test_of_a_single_file_nothing_else_in_its_folder_is_told(folder: Path) -> None:
    listener = listening(folder)

    (folder / "etc" / "passwd").write_text("x")
    (folder / "etc" / "motd.new").write_text("bad\n")
    (folder / "etc" / "motd.new").rename(folder / "etc" / "motd")

    assert set(listener.hear()) == {(f"{folder}/etc/motd", "created")}
    listener.close()
