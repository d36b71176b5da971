"""One tree, packed by every Python that is here, under other users, umasks, time zones and locales: one digest."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

PACK = """
import io, json, os, sys
from vitrify.builders.layer import pack
from vitrify.builders.tree import Tree, stamps
folder, umask, user = sys.argv[1], int(sys.argv[2], 8), int(sys.argv[3])
os.umask(umask)
if user:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
found = [os.path.join(top, name)[len(folder):] for top, folders, files in os.walk(folder) for name in folders + files]
table = stamps({path: {"mode": "0755", "uid": 0, "gid": 33} for path in found})
print(pack(Tree(folder, table), io.BytesIO()).digest)
"""
SOURCE = Path(__file__).parents[2] / "src"
NOBODY = 65534


def interpreters() -> list[str]:
    """Every Python from 3.11 on that is installed here and runs."""
    named = [shutil.which(f"python3.{minor}") for minor in range(11, 16)]
    managed = [str(path) for path in Path.home().glob(".pyenv/versions/3.1[1-9].*/bin/python3")]
    return sorted(path for path in {sys.executable, *(path for path in named if path), *managed} if runs(path))


def runs(interpreter: str) -> bool:
    """Whether this is a Python and not a stand-in for one that is not there."""
    return subprocess.run([interpreter, "-I", "-c", ""], check=False, capture_output=True).returncode == 0


@dataclass(frozen=True)
class Circumstances:
    """What must not matter."""

    umask: str = "022"
    user: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)


def packed(interpreter: str, tree: Path, given: Circumstances) -> str:
    command = [interpreter, "-P", "-c", PACK, str(tree), given.umask, str(given.user)]
    environment = {**given.environment, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


def tree(folder: Path, *, backwards: bool) -> Path:
    """The same tree, made in another order and at another time."""
    numbers = sorted(range(200), reverse=backwards)
    for number in numbers:
        place = folder / f"d{number % 7}" / f"é{number % 11}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"file{number}").write_text(f"{number}\n" * number)
        (place / f"link{number}").symlink_to(f"file{number}" * (1 + number % 20))
        os.utime(place / f"file{number}", (number, number * (3 if backwards else 1)))
    return folder


def test_every_python_gives_the_same_digest_everywhere(tmp_path: Path) -> None:
    trees = [tree(tmp_path / name, backwards=name == "other") for name in ("one", "other")]
    circumstances = [
        Circumstances("022", environment={"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}),
        Circumstances("077", environment={"TZ": "Pacific/Apia", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"}),
        Circumstances("000", environment={"TZ": "America/St_Johns", "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    ]

    digests = {
        packed(interpreter, place, given)
        for interpreter in interpreters()
        for place, given in zip([*trees, trees[0]], circumstances, strict=True)
    }

    assert len(digests) == 1


@pytest.mark.root
def test_an_ordinary_user_gives_the_digest_that_root_gives() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        place = tree(Path(folder, "tree"), backwards=False)

        digests = {packed(sys.executable, place, Circumstances(user=user)) for user in (0, NOBODY)}

    assert len(digests) == 1
