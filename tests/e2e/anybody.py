"""Somebody who is not root, with a range of subordinate ids that this machine's tables need not have."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

UID = 65534
"""`nobody`, who is everywhere."""
FIRST, COUNT = 2_000_000, 65_536
PROGRAMS = {"newuidmap": "uidmap", "newgidmap": "uidmap", "setpriv": "util-linux"}

_ENTER = """
set -e
for name in subuid subgid; do mount --bind "$1/$name" "/etc/$name"; done
# Other tests mount things beneath it, and nobody without privileges may show a folder without what is mounted in it.
mount -t tmpfs tmpfs /dev/shm
shift
exec setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"
"""


def lacking() -> str:
    """What keeps somebody from having many ids here, in words; empty where nothing does."""
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})
    return f"namespaces with many ids need the Debian packages {', '.join(missing)}" if missing else ""


def granted(tables: Path, words: Sequence[str]) -> list[str]:
    """The same words, run by nobody, in a mount namespace whose /etc/subuid and /etc/subgid grant ids; the machine's stay as they are."""
    tables.mkdir(exist_ok=True)
    tables.chmod(0o755)
    for name in ("subuid", "subgid"):
        (tables / name).write_text(f"nobody:{FIRST}:{COUNT}\n")
        (tables / name).chmod(0o644)
    return ["unshare", "--mount", "sh", "-c", _ENTER, "sh", str(tables), *words]


@contextmanager
def place() -> Iterator[Path]:
    """A fresh folder that everybody gets to: those of pytest are for root alone, and closed again by whoever else runs it."""
    with tempfile.TemporaryDirectory(prefix="vitrify-anybody-", dir="/var/tmp") as folder:  # there is room for roots of systems
        Path(folder).chmod(0o755)
        yield Path(folder)


def hand_over(folder: Path) -> None:
    """Everything in a folder is nobody's."""
    for top, folders, files in os.walk(folder):
        for name in ("", *folders, *files):
            os.chown(Path(top, name), UID, UID, follow_symlinks=False)
