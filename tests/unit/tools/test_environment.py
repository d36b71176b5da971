"""When `.venv` counts as whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools import environment


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[Path, Path]:
    lock, settings = tmp_path / "dev.lock", tmp_path / "pyproject.toml"
    lock.write_text("click==8\n")
    settings.write_text("[project]\n")
    return lock, settings


def test_the_key_follows_every_input(inputs: tuple[Path, Path]) -> None:
    before = environment.key(*inputs)

    for path in inputs:
        path.write_text(path.read_text() + "# more\n")
        after = environment.key(*inputs)
        assert after != before
        before = after


def test_the_key_of_unchanged_inputs_stays(inputs: tuple[Path, Path]) -> None:
    assert environment.key(*inputs) == environment.key(*inputs)


def test_the_key_cannot_be_reached_by_moving_text_from_one_input_to_the_next(inputs: tuple[Path, Path]) -> None:
    lock, settings = inputs
    before = environment.key(*inputs)

    settings.write_text(lock.read_text() + settings.read_text())
    lock.write_text("")

    assert environment.key(*inputs) != before
