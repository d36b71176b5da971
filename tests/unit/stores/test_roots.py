from __future__ import annotations

import os
from pathlib import Path

from vitrify.stores.roots import MOST, Roots

NAME = "sha256:" + "a" * 64


def made(folder: Path, text: str = "one") -> Path:
    place = folder / "made"
    place.mkdir(exist_ok=True)
    (place / "file").write_text(text)
    return place


def boot(folder: Path, name: str = "first") -> Path:
    file = folder / "boot_id"
    file.write_text(f"{name}\n")
    return file


def test_what_was_kept_is_held_under_its_name(tmp_path: Path) -> None:
    roots = Roots(tmp_path / "roots")
    roots.keep(made(tmp_path), NAME)

    with roots.held(NAME) as found, roots.held("sha256:" + "b" * 64) as other:
        assert found is not None
        assert (found / "file").read_text() == "one"
        assert other is None
    assert not (tmp_path / "made").exists()


def test_whoever_comes_second_finds_what_the_first_made(tmp_path: Path) -> None:
    roots = Roots(tmp_path / "roots")
    roots.keep(made(tmp_path), NAME)
    roots.keep(made(tmp_path, "two"), NAME)

    with roots.held(NAME) as found:
        assert found is not None
        assert (found / "file").read_text() == "one"
    assert not (tmp_path / "made").exists()


def test_after_a_restart_nothing_is_believed_and_the_old_is_cleared(tmp_path: Path) -> None:
    Roots(tmp_path / "roots", boot=boot(tmp_path)).keep(made(tmp_path), NAME)
    roots = Roots(tmp_path / "roots", boot=boot(tmp_path, "second"))

    with roots.held(NAME) as found:
        assert found is None
    roots.keep(made(tmp_path), NAME)
    assert [path.name for path in (tmp_path / "roots").iterdir() if path.is_dir()] == ["second"]


def test_of_too_many_those_go_that_were_not_used_for_longest_and_none_that_is_held(tmp_path: Path) -> None:
    roots = Roots(tmp_path / "roots", boot=boot(tmp_path))
    for number in range(MOST):
        roots.keep(made(tmp_path), f"{number}")
        os.utime(tmp_path / "roots" / "first" / f"{number}", (number, number))

    with roots.held("0"):
        os.utime(tmp_path / "roots" / "first" / "0", (0, 0))
        roots.keep(made(tmp_path), "new")
        roots.keep(made(tmp_path), "newer")

    left = {path.name for path in (tmp_path / "roots" / "first").iterdir()}
    assert left == {"0", "new", "newer", *(str(number) for number in range(2, MOST))}
