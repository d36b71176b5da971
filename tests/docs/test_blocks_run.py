"""The commands in the documents do what the documents say, with the output that they show."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pages import Block, Page, wishing

SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.e2e
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", wishing("run"), ids=lambda page: page.name)
def test_a_page_can_be_followed_from_top_to_bottom(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()

    try:
        for block in page.blocks:
            if block.wish.startswith("file "):
                path = folder / block.wish.removeprefix("file ")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
            elif block.wish == "install":
                _install(block, folder, home=tmp_path / "home")
            elif block.wish.startswith("run"):
                folder = _follow(block, folder, home=tmp_path / "home")
    finally:
        _leave_nothing_running(tmp_path)


def _follow(block: Block, folder: Path, *, home: Path) -> Path:
    """Run the block's commands; returns the folder that a reader is in afterwards."""
    ending = re.fullmatch(r"run(?:, exit (\d+))?", block.wish)
    assert ending, f"unknown wish {block.wish!r}"
    *most, last = [(command, shown, 0) for command, shown in block.steps]
    for command, shown, code in [*most, (last[0], last[1], int(ending[1] or 0))]:
        if command.startswith("cd "):
            folder /= command.removeprefix("cd ").strip()
            continue
        done = subprocess.run(["/bin/sh", "-ec", command], cwd=folder, env=_reader(home), check=False, capture_output=True, text=True)
        said = done.stdout + done.stderr
        assert done.returncode == code, f"$ {command}{said}"
        assert not shown.strip() or doctest.OutputChecker().check_output(shown, done.stdout, SAME), f"$ {command}{said}"
    return folder


def _install(block: Block, folder: Path, *, home: Path) -> None:
    """Build the wheel of the folder that the block names, and unpack it where the reader's Python looks."""
    ((command, _),) = block.steps
    package, dist = folder / command.split()[-1], home / "dist"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)]
    subprocess.run(build, cwd=package, check=True, capture_output=True)
    for wheel in dist.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(_site(home))


def _site(home: Path) -> Path:
    return home / "site"


def _leave_nothing_running(place: Path) -> None:
    """A page that ends half way, or that forgot to, must not leave instances and a router behind."""
    for keys in place.rglob("vitrify.keys"):
        retire = ["vitrify", "retire", "web", "--only", "instances", "-y"]
        subprocess.run(retire, cwd=keys.parent, env=_reader(place / "home"), check=False, capture_output=True)


def _reader(home: Path) -> dict[str, str]:
    """A fresh user's environment, with this source's vitrify first on PATH."""
    program = home / "bin" / "vitrify"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m vitrify "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "USER", "LOGNAME") if name in os.environ}
    kept["PYTHONPATH"] = os.pathsep.join([str(_site(home)), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**kept, "PATH": path, "HOME": str(home), "VITRIFY_HOME": str(home / "vitrify"), "NO_COLOR": "1", "COLUMNS": "120"}
