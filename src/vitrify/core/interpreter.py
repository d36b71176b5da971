"""How a host gets the one thing that vitrify needs of it: a Python, brought by its own package manager."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

Argv = tuple[str, ...]

INSTALL: Mapping[str, tuple[Argv, ...]] = {
    "apt-get": (
        ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=60", "update"),
        ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=60", "--no-install-recommends", "install", "python3"),
    ),
    "dnf": (("dnf", "-q", "-y", "install", "python3"),),
    "yum": (("yum", "-q", "-y", "install", "python3"),),
    "apk": (("apk", "add", "python3"),),
    "zypper": (("zypper", "-q", "--non-interactive", "install", "python3"),),
    "pacman": (("pacman", "-S", "-y", "--noconfirm", "python"),),
}
"""Package manager, in the order in which they are looked for -> what root runs, one after the other; the first that fails ends it."""


def spelled(manager: str) -> str:
    """The same as a person would type it; "" where the manager is none that is known."""
    return joined(INSTALL.get(manager, ()))


def joined(commands: Sequence[Argv]) -> str:
    """Each after the one before went well. Constant words alone."""
    return " && ".join(shlex.join(argv) for argv in commands)
