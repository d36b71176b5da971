from __future__ import annotations

from pathlib import Path

import pytest
from tests.trial import KEY

from vitrify.core.declaration import Lifecycle
from vitrify.core.diagnostic import UsageInvalid
from vitrify.project.load import load
from vitrify.project.starter import write
from vitrify.resources.registry import all_kinds


def test_it_does_not_begin_beside_a_declaration_in_python(tmp_path: Path) -> None:
    (tmp_path / "vitrify.py").write_text("")

    with pytest.raises(UsageInvalid, match=r"vitrify\.py exists already"):
        write(str(tmp_path), "shop")

    assert [path.name for path in tmp_path.iterdir()] == ["vitrify.py"]


def test_what_init_writes_loads_without_a_problem_or_a_notice(tmp_path: Path) -> None:
    written = write(str(tmp_path / "shop"), "shop")

    declaration = load(str(tmp_path / "shop"), environ={}, overrides={}, kinds=all_kinds(), key=KEY)

    assert declaration.project == "shop"
    assert [Path(path).relative_to(tmp_path / "shop").as_posix() for path in written] == [
        "vitrify.yaml",
        "app/app.py",
        "templates/motd.j2",
        ".gitignore",
    ]
    assert declaration.servers[0].notices == ()


def test_changing_one_word_flips_the_server_that_init_declares(tmp_path: Path) -> None:
    write(str(tmp_path), "shop")
    path = tmp_path / "vitrify.yaml"
    mutable = load(str(tmp_path), environ={}, overrides={}, kinds=all_kinds(), key=KEY).servers[0]

    path.write_text(path.read_text().replace("lifecycle: mutable", "lifecycle: immutable"))
    immutable = load(str(tmp_path), environ={}, overrides={}, kinds=all_kinds(), key=KEY).servers[0]

    assert (mutable.lifecycle, immutable.lifecycle) == (Lifecycle.MUTABLE, Lifecycle.IMMUTABLE)
    assert mutable.resources == immutable.resources


def test_nothing_that_exists_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "app.py").write_text("mine")

    with pytest.raises(UsageInvalid, match="exists already"):
        write(str(tmp_path), "shop")

    assert [path.name for path in tmp_path.rglob("*")] == ["app", "app.py"]


def test_a_gitignore_that_exists_stays(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine")

    assert len(write(str(tmp_path), "shop")) == 3
    assert (tmp_path / ".gitignore").read_text() == "mine"


@pytest.mark.parametrize(("name", "project"), [("my shop!", "my-shop"), ("2024", "project-2024"), ("", "project"), ("a" * 80, "a" * 60)])
def test_a_folder_name_that_cannot_be_a_project_name_becomes_one(tmp_path: Path, name: str, project: str) -> None:
    write(str(tmp_path), name)

    assert load(str(tmp_path), environ={}, overrides={}, kinds=all_kinds(), key=KEY).project == project
