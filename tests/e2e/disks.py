"""Filesystems that only some commands of a test see: a mount namespace of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Disks:
    """A mount namespace that is kept open, for filesystems that only the test sees."""

    keeper: int

    @property
    def within(self) -> tuple[str, ...]:
        """What runs a command in it; the folder to run it in comes next."""
        return ("nsenter", f"--target={self.keeper}", "--mount", "env", "-C")

    def mount(self, *arguments: str | Path) -> None:
        """Change a mount."""
        subprocess.run(["nsenter", f"--target={self.keeper}", "--mount", "mount", *arguments], check=True)

    def seen(self, path: Path) -> Path:
        """The path as it is in there."""
        return Path(f"/proc/{self.keeper}/root{path}")


@contextmanager
def apart() -> Iterator[Disks]:
    """A namespace that ends with the block, and its filesystems with it."""
    command = ["unshare", "--mount", "--propagation=private", "sh", "-c", "echo ready; exec sleep 600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout
        assert keeper.stdout.readline() == "ready\n"
        yield Disks(keeper.pid)
        keeper.kill()
