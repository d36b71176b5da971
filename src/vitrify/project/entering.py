"""Run by itself: becomes root of a user namespace in which the caller's subordinate ids are the ids from 1 on, then the program given.

Its arguments are FIRST:COUNT of the user ids, the same of the group ids, and the program with its own. It keeps its process id, so that
whoever started it has the program itself as a child.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x00020000


def main(words: list[str]) -> None:
    """Enter, and run; ends the process with what went wrong on its error output."""
    users, groups, *program = words
    maps = (("newuidmap", os.getuid(), users), ("newgidmap", os.getgid(), groups))
    reading, writing = os.pipe()
    mapper = os.fork()
    if mapper == 0:
        # Out here: only whoever is outside the namespace may say what its ids are.
        os.close(writing)
        os._exit(_map(os.getppid(), maps) if os.read(reading, 1) else 1)
    os.close(reading)
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_NEW_USER | _NEW_MOUNTS) != 0:
        sys.exit(f"the kernel makes no user namespace: {os.strerror(ctypes.get_errno())}")
    os.write(writing, b"1")
    os.close(writing)
    _, status = os.waitpid(mapper, 0)
    if status != 0:
        sys.exit("the ids of the user namespace were not given")
    os.setgroups([])
    os.execv(program[0], program)  # noqa: S606  a list of arguments, never a shell


def _map(process: int, maps: tuple[tuple[str, int, str], ...]) -> int:
    for name, own, given in maps:
        first, count = given.split(":")
        done = subprocess.run([name, str(process), "0", str(own), "1", "1", first, count], check=False)
        if done.returncode:
            return 1
    return 0


if __name__ == "__main__":
    main(sys.argv[1:])
