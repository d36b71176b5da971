"""What the repository as a whole must and must not hold."""

from __future__ import annotations

import re
from pathlib import Path

from tools.lanes import LANES

from source import PACKAGE, ROOT, texts, tracked

SELF = Path(__file__)
MACHINE_PATH = re.compile(
    r"(?<![\w.$~-])/(?:work|root/\.(?:pyenv|cache|local)\b|home/(?!(?:you|admin|ada|bob|eve)\b)\w+/|Users/\w+/|tmp/(?:wt|venv)\b)"
)
INDEX_ADDRESS = re.compile(
    r"(?:pypi\.org|pythonhosted\.org|--(?:extra-)?index-url|--find-links|--trusted-host|\bPIP_INDEX_URL\b|\bUV_INDEX)", re.IGNORECASE
)


def test_no_lock_names_an_index() -> None:
    locks = sorted((ROOT / "requirements").glob("*.lock"))

    lines = [line for lock in locks for line in lock.read_text(encoding="utf-8").splitlines()]

    assert locks
    assert not [line for line in lines if "://" in line or re.match(r"\s*(-i|-f|--(?!hash=))", line)]


def test_every_locked_package_is_pinned_and_hashed() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        entries = [entry for entry in re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip()) if not entry.startswith("#")]
        assert not [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]


def test_no_tracked_file_names_a_package_index() -> None:
    assert not {
        f"{path.relative_to(ROOT)}: {found.group()}" for path, text in texts() if path != SELF for found in INDEX_ADDRESS.finditer(text)
    }


def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    assert not {
        f"{path.relative_to(ROOT)}: {found.group()}" for path, text in texts() if path != SELF for found in MACHINE_PATH.finditer(text)
    }


def test_no_folder_of_the_package_is_without_an_inhabitant() -> None:
    folders = {path.parent for path in tracked() if PACKAGE in path.parents}

    empty = {folder for folder in folders if not [path for path in tracked() if folder in path.parents and path.name != "__init__.py"]}

    assert not {str(folder.relative_to(ROOT)) for folder in empty}


def test_every_folder_of_tests_is_a_lane() -> None:
    folders = {
        path.relative_to(ROOT / "tests").parts[0] for path in tracked() if ROOT / "tests" in path.parents and path.parent != ROOT / "tests"
    }

    assert {folder for folder in folders if not folder.startswith("__")} <= {lane.name for lane in LANES} | {"kinds"}


def test_every_file_of_tests_has_a_name_of_its_own() -> None:
    names = [path.name for path in tracked() if ROOT / "tests" in path.parents and path.name.startswith("test_")]

    assert not {name for name in names if names.count(name) > 1}, "test folders are not packages: two files of one name shadow each other"


def test_scripts_can_be_run() -> None:
    assert not [script for script in (ROOT / "run", ROOT / ".ci" / "run") if not script.stat().st_mode & 0o111]
