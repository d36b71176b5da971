"""The package in `examples/kind`, built and installed into a folder of the test's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "kind"
MODULE = "vitrify_logrotate.py"


def installed(folder: Path) -> Path:
    """A folder for PYTHONPATH, in which the package is installed as any installer would: from its wheel."""
    source, dist, site = folder / "source", folder / "dist", folder / "site"
    shutil.copytree(EXAMPLE, source)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = dist.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    return site


def change(site: Path) -> None:
    """Another version of the kind, that wishes for the same."""
    module = site / MODULE
    module.write_text(module.read_text() + "\n# Another version.\n")
