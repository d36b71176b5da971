"""Installs missing Debian packages as root, or prints the line that does; the list is `requirements/debian.txt`.

`debian.py NAME...` asks for these, `debian.py` alone for the whole list. The standard library alone.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

LIST = Path(__file__).resolve().parent.parent / "requirements" / "debian.txt"
INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300")


def main(names: list[str]) -> int:
    """0 where all of them are installed in the end."""
    lacking = missing(names or listed())
    if not lacking:
        return 0
    if not shutil.which("apt-get") or os.geteuid() != 0:
        print(f"Debian packages are missing: {', '.join(lacking)}. Install them, as root, with", file=sys.stderr)
        print(f"  {shlex.join([*_sudo(), *INSTALL[:2], *lacking])}", file=sys.stderr)
        return 1
    print(f"installing the Debian packages {', '.join(lacking)}", file=sys.stderr)
    if _apt([*INSTALL, *lacking], quiet=True) or (_apt(["apt-get", "update"]) and _apt([*INSTALL, *lacking])):
        return 0
    print(f"apt-get could not install {', '.join(lacking)}; its reason stands above", file=sys.stderr)
    return 1


def listed() -> list[str]:
    """The packages of the list, in its order, but for those whose `[program]` comes from elsewhere already."""
    lines = [line.partition("#")[0].split() for line in LIST.read_text(encoding="utf-8").splitlines()]
    return [words[0] for words in lines if words and not any(shutil.which(word.strip("[]")) for word in words[1:])]


def missing(names: list[str]) -> list[str]:
    """Those that dpkg does not call installed."""
    return [name for name in names if not _installed(name)]


def _installed(name: str) -> bool:
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", name]
    if not shutil.which(query[0]):
        return False
    return subprocess.run(query, check=False, capture_output=True, text=True).stdout == "installed"


def _sudo() -> list[str]:
    return ["sudo"] if shutil.which("sudo") and os.geteuid() != 0 else []


def _apt(command: list[str], *, quiet: bool = False) -> bool:
    # A machine that was never updated knows no package: the first failure is then no news, the second is.
    stderr = subprocess.DEVNULL if quiet else None
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, check=False, env=environment, stdout=subprocess.DEVNULL, stderr=stderr).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
