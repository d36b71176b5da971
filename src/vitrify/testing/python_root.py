"""A small root with the Python of this machine and nothing else: what an application needs where the machine itself is not below it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

PYTHON = Path("/usr/bin/python3")
_LEFT_OUT = ("config-*", "dist-packages", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo", "unittest")
_LIBRARY = re.compile(r"(/\S+) \(0x")


def python_root(root: Path) -> Path:
    """Make the root in a folder that is not there yet: `/usr/bin/python3`, its library, and what it is linked with."""
    program = PYTHON.resolve()
    (root / "usr/bin").mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        if Path("/", name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    for name in ("etc", "tmp"):
        (root / name).mkdir()
    (root / "tmp").chmod(0o1777)
    _copy(program, root)
    (root / "usr/bin/python3").symlink_to(program.name)
    library = Path("/usr/lib", program.name)
    shutil.copytree(library, root / library.relative_to("/"), ignore=shutil.ignore_patterns(*_LEFT_OUT), ignore_dangling_symlinks=True)
    for linked in {name for built in (program, *library.glob("lib-dynload/*.so")) for name in _linked(built)}:
        _copy(Path(linked), root)
    return root


def _linked(program: Path) -> list[str]:
    told = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
    return _LIBRARY.findall(told)


def _copy(path: Path, root: Path) -> None:
    """Under the name by which it is asked for, wherever links lead on this machine."""
    place = root / (path.parent.resolve() / path.name).relative_to("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        shutil.copy2(path.resolve(), place)
