"""Makes files immutable where their file system and our rights allow it, so that a slip of the hand cannot remove them.

It is no fence against root: whoever may set the flag may take it away.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

_LONG = struct.calcsize("l")
_GET = (2 << 30) | (_LONG << 16) | (ord("f") << 8) | 1
_SET = (1 << 30) | (_LONG << 16) | (ord("f") << 8) | 2
_IMMUTABLE = 0x10


def freeze(path: Path) -> bool:
    """Have nobody write, rename or remove this file; False where that cannot be had here."""
    return _flagged(path, immutable=True)


def melt(path: Path) -> bool:
    """Take that back; False where it cannot be done."""
    return _flagged(path, immutable=False)


def is_frozen(path: Path) -> bool:
    """Whether the file is immutable; False where its file system knows no such thing."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return bool(_flags(file) & _IMMUTABLE)
    except OSError:
        return False
    finally:
        os.close(file)


def _flagged(path: Path, *, immutable: bool) -> bool:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        known = _flags(file)
        wanted = known | _IMMUTABLE if immutable else known & ~_IMMUTABLE
        if wanted != known:
            fcntl.ioctl(file, _SET, struct.pack("i", wanted) + bytes(_LONG - 4))
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(file)


def _flags(file: int) -> int:
    found: int = struct.unpack_from("i", fcntl.ioctl(file, _GET, bytes(_LONG)))[0]
    return found
