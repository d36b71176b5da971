from __future__ import annotations

from pathlib import Path

import pytest

from vitrify.core.diagnostic import UsageInvalid
from vitrify.project.find import find


def test_the_declaration_is_found_in_the_folder_itself_by_the_name_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vitrify.yaml").touch()
    monkeypatch.chdir(tmp_path)

    assert find(".") == Path("vitrify.yaml")


def test_the_declaration_is_found_above(tmp_path: Path) -> None:
    (tmp_path / "vitrify.yaml").touch()
    (tmp_path / "a" / "b").mkdir(parents=True)

    assert find(str(tmp_path / "a" / "b")) == tmp_path / "vitrify.yaml"


def test_no_declaration_is_a_usage_error_that_names_init(tmp_path: Path) -> None:
    with pytest.raises(UsageInvalid, match="vitrify init"):
        find(str(tmp_path))


def test_a_folder_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageInvalid, match="is not a folder"):
        find(str(tmp_path / "nowhere"))
