"""A file that is written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from vitrify.core.diagnostic import UsageInvalid, VitrifyError
from vitrify.core.readable import neutral


def writable(path: str) -> None:
    """`UsageInvalid` where no file can be put there: told before a long look, and not after it."""
    target = Path(path)
    if os.path.lexists(target) and not target.resolve().is_file():
        raise UsageInvalid(f"{neutral(path)} is no file", why="only a file is replaced as a whole", hint="name a file, or one to be made")
    if not target.parent.is_dir():
        raise UsageInvalid(f"there is no folder {neutral(str(target.parent))}", why=f"{neutral(path)} is to be in it", hint="make it first")
    if not os.access(target.resolve().parent, os.W_OK | os.X_OK):
        raise UsageInvalid(f"{neutral(path)} cannot be written", why="its folder is not yours to write to", hint="name another one")


def write(text: str, path: str) -> None:
    """Put the text there. Whoever reads the file meanwhile, or after a crash, finds the former one or this one; a link stays a link."""
    target = Path(path).resolve()
    temporary = target.with_name(f".{target.name[:200]}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise VitrifyError(
            f"{neutral(path)} was not written", why=error.strerror or str(error), hint="make room for it, and try again"
        ) from None
