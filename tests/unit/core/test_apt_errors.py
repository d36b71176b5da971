"""What apt could not do is told with its own reason, and a lock with whoever holds it."""

from __future__ import annotations

from vitrify.core.apt import LOCK, failed
from vitrify.core.system import Command, Completed, Target
from vitrify.testing.memory_system import MemorySystem, Node

UNNAMED = Completed(100, "", f"E: Unable to acquire the dpkg frontend lock ({LOCK}), is another process using it?\n")
LOCKS = "1: POSIX  ADVISORY  WRITE 7 00:1a:41 0 EOF\n2: POSIX  ADVISORY  WRITE 76 00:1a:42 0 EOF\n"


def test_the_holder_of_a_lock_is_whom_apt_names() -> None:
    said = f"E: Could not get lock {LOCK}. It is held by process 76 (aptitude)\n"

    assert "its lock is held by aptitude (process 76)" in str(failed(("install",), Completed(100, "", said)))


def test_a_holder_that_apt_does_not_name_is_named_by_the_kernel() -> None:
    def stat(_system: MemorySystem, _command: Command) -> Completed:
        return Completed(0, "42\n", "")

    system = MemorySystem(target=Target.HOST, programs={"stat": stat})
    system.put("/proc/locks", Node("file", content=LOCKS.encode()))
    system.put("/proc/76/comm", Node("file", content=b"unattended-upgr\n"))

    assert "its lock is held by unattended-upgr (process 76)" in str(failed(("install",), UNNAMED, system))
    assert "a process that apt does not name" in str(failed(("install",), UNNAMED))


def test_what_a_package_s_own_script_said_comes_first() -> None:
    said = "Setting up bad (1.0) ...\nthe disk is blue\ndpkg: error processing package bad (--configure):\n it returned 3\n"

    error = str(failed(("install", "bad"), Completed(100, said, "E: Sub-process /usr/bin/dpkg returned an error code (1)\n")))

    assert error.index("the disk is blue") < error.index("dpkg: error processing package bad") < error.index("Sub-process")
