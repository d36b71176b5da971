"""Where every test is required, a skip fails the run: a missing tool must not look like a passed test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from source import ROOT

SKIPS = """
import pytest

def test_that_runs(record_property):
    record_property("note", "measured: 7")

@pytest.mark.skipif(True, reason="no such tool here")
def test_that_lacks_a_tool():
    raise AssertionError
"""


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    ours = {"CI", "VITRIFY_REQUIRE_ALL"}
    kept = {name: value for name, value in os.environ.items() if name not in ours and not name.startswith("PYTEST_")}
    plugins = ["-p", "tests.conftest", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *plugins, "-q", "-c", os.devnull, *arguments, str(folder)]
    environment = {**kept, "PYTHONPATH": str(ROOT), **more}
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(("workers", "setting"), [((), "VITRIFY_REQUIRE_ALL"), (("-n", "2"), "CI")], ids=["alone", "with workers"])
def test_a_skip_fails_the_run_where_everything_is_required(tmp_path: Path, workers: tuple[str, ...], setting: str) -> None:
    (tmp_path / "test_sample.py").write_text(SKIPS)

    done = run(tmp_path, *workers, **{setting: "1" if setting == "VITRIFY_REQUIRE_ALL" else "true"})

    assert done.returncode == 1, done.stdout
    assert "no such tool here" in done.stdout


def test_a_file_that_is_skipped_as_a_whole_fails_such_a_run_too(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text("import pytest\npytest.skip('not on this machine', allow_module_level=True)\n")
    (tmp_path / "test_other.py").write_text("def test_that_runs(): pass\n")

    done = run(tmp_path, "-n", "2", VITRIFY_REQUIRE_ALL="1")

    assert done.returncode == 1, done.stdout
    assert "not on this machine" in done.stdout


def test_elsewhere_a_skip_is_named_and_the_run_passes(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(SKIPS)

    done = run(tmp_path)

    assert done.returncode == 0, done.stdout
    assert "measured: 7" in done.stdout
