"""Programs of this machine lent to a folder, with what they need to run inside of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path


def lend(program: str, root: Path) -> None:
    """Put this program and its libraries into the folder, at the same paths."""
    real = Path(program).resolve()
    needed = subprocess.run(["ldd", real], capture_output=True, text=True, check=True).stdout
    for source, target in [(real, program), *((Path(path), path) for path in re.findall(r"(/\S+)", needed))]:
        place = root / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source.resolve(), place)
