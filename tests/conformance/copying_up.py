"""Has the kernel copy a file of an image into an upper layer, as it does for whoever opens it for writing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

_OPEN = 'mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=$3/work$4" "$3/root" && exec 3<>"$3/root$5"'
"""Opened for reading and writing, and closed: nothing is written."""


def copy_up(upper: Path, lowers: Sequence[str], path: str) -> None:
    """A mount of the same layers, in a namespace of its own: the file is in the upper one afterwards, as it is in the image."""
    place = Path(tempfile.mkdtemp(dir=upper.parent))
    for name in ("work", "root"):
        (place / name).mkdir()
    mine = os.geteuid() != 0
    unshare = ["unshare", "--mount", *(["--user", "--map-root-user"] if mine else [])]
    words = ["/bin/sh", "-c", _OPEN, "sh", ":".join(lowers), str(upper), str(place), ",userxattr" if mine else "", path]
    subprocess.run([*unshare, *words], check=True, capture_output=True)
    assert (upper / path.lstrip("/")).is_file()
    shutil.rmtree(place, ignore_errors=True)
