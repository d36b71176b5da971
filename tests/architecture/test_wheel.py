"""What an installed vitrify has: everything under `src`, nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from source import PACKAGE, ROOT, tracked


def test_the_wheel_holds_every_file_of_the_package_and_no_other(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=ROOT, check=True, capture_output=True
    )

    (wheel,) = tmp_path.glob("vitrify-*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert held == {path.relative_to(PACKAGE.parent).as_posix() for path in tracked() if PACKAGE in path.parents}
    assert "vitrify/py.typed" in held
