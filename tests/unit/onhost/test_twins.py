"""A file of an image that is unpacked is taken over from a root beside it where that has the very same, and written otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vitrify.onhost.sharing import Twins

MINE = (0o644, os.geteuid(), os.getegid())


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A root that has /usr/file."""
    root = tmp_path / "other"
    (root / "usr").mkdir(parents=True)
    (root / "usr/file").write_bytes(b"equal")
    (root / "usr/file").chmod(0o644)
    os.utime(root / "usr/file", (0, 0))
    return root


def rewritten(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    os.utime(file, (0, 0))


def linked(tmp_path: Path, *roots: Path, data: bytes = b"equal", looks: tuple[int, int, int] = MINE) -> bool:
    new = tmp_path / "new"
    new.mkdir(exist_ok=True)
    twins, into = Twins(roots), os.open(new, os.O_RDONLY)
    try:
        found = twins.linked("usr/file", data, looks, into=into)
    finally:
        twins.close()
        os.close(into)
    assert (new / "file").exists() is found
    return found


def test_an_equal_file_is_the_same_file_from_then_on(tmp_path: Path, other: Path) -> None:
    assert linked(tmp_path, tmp_path / "none", other)

    assert (tmp_path / "new/file").samefile(other / "usr/file")


@pytest.mark.parametrize(
    "alter",
    [
        lambda file: rewritten(file, b"other"),
        lambda file: rewritten(file, b"equal and more"),
        lambda file: file.chmod(0o755),
        lambda file: os.utime(file, (1, 1)),
        lambda file: file.rename(file.with_name("elsewhere")),
        lambda file: (file.rename(file.with_name("elsewhere")), file.symlink_to("elsewhere")),
        lambda file: (file.parent.rename(file.parents[1] / "bin"), file.parent.symlink_to("bin")),
    ],
    ids=["content", "size", "mode", "time", "gone", "a link", "in a link"],
)
def test_what_is_not_equal_is_left_to_be_written(tmp_path: Path, other: Path, alter: Callable[[Path], object]) -> None:
    alter(other / "usr/file")

    assert not linked(tmp_path, other)


def test_a_file_of_somebody_else_is_left_to_be_written(tmp_path: Path, other: Path) -> None:
    assert not linked(tmp_path, other, looks=(0o644, os.geteuid() + 1, os.getegid()))
