"""Runs on an attacked host as whoever broke in: `intruder.py REPOSITORY` reads names of attacks and does each in a process of its own.

What did it is told by its number, and lives until the next line is read: so that whoever watches can be asked about it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

OWNER = "ada"
"""Whose home is attacked with no more than her own rights."""


def lead(repository: str) -> None:
    """Do what is told; one line goes out for each that comes in."""
    for line in sys.stdin:
        name = line.rstrip("\n")
        user = OWNER if name.startswith(f"/home/{OWNER}/") else None
        command = [sys.executable, "-B", "-P", __file__, repository, name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, user=user, group=user) as doing:
            assert doing.stdout
            say(doing.stdout.readline().strip() or f"{name} failed")
            sys.stdin.readline()


def do(repository: str, name: str) -> None:
    """One of them; then wait until nobody has a question."""
    sys.path.insert(0, repository)
    from tests.attacks import ATTACKS

    os.umask(0o022)
    next(attack for attack in ATTACKS if attack.name == name).act(Path("/"))
    say(str(os.getpid()))
    sys.stdin.read()


def say(line: str) -> None:
    """To whoever leads."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    (do if len(sys.argv) > 2 else lead)(*sys.argv[1:])
