"""Errors of the operating system, told for a person: what, where, why and what to do next."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import Dict, Iterator

from vitrify.core.diagnostic import TargetFailed

_HINTS: Dict[int, str] = {
    errno.ENOSPC: "free space on the filesystem that holds it, then run the same command again",
    errno.EDQUOT: "the quota is used up: free space or raise it, then run the same command again",
    errno.EROFS: "make it writable (after a disk error the kernel's log says why it is not), then run the same command again",
    errno.EACCES: "run as root, or as the owner of the folder",
    errno.EPERM: "run as root; if you are, see whether the file is immutable (`lsattr`)",
    errno.EBUSY: "it is in use, perhaps as a mount point of its own",
    errno.EFBIG: "it is larger than the limit of file sizes allows (`ulimit -f`)",
    errno.EIO: "the disk reports an error: look at the kernel's log",
    errno.ENOTEMPTY: "something else is in it; it is left alone",
    errno.ENAMETOOLONG: "shorten the path",
    errno.EMFILE: "too many files are open: raise `ulimit -n`",
    errno.ENOTSUP: "the filesystem does not support this",
}


def failed(error: OSError, doing: str) -> TargetFailed:
    """The error of the operating system as ours; `doing` says what was tried, with the path in it."""
    number = error.errno or 0
    why = os.strerror(number) if number else str(error)
    return TargetFailed(doing, why=why, hint=_HINTS.get(number, ""))


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Whatever the operating system refuses in here is told as `doing`."""
    try:
        yield
    except OSError as error:
        raise failed(error, doing) from error
