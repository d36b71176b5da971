"""Programs of others that a test needs: each installed from its own lock, once, into the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"


def programs(name: str) -> Path:
    """The folder of the programs that `requirements/NAME.lock` brings. Where packages come from is the machine's own pip configuration."""
    listed = REQUIREMENTS / f"{name}.lock"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vitrify-tests"
    cache.mkdir(parents=True, exist_ok=True)
    made_from = hashlib.sha256(listed.read_bytes() + sys.version.encode()).hexdigest()[:16]
    place = cache / f"{name}-{made_from}"
    with (cache / listed.name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "whole").exists():
            shutil.rmtree(place, ignore_errors=True)
            install = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input"]
            for command in ([sys.executable, "-m", "venv", str(place)], [*install, "--require-hashes", "-r", str(listed)]):
                done = subprocess.run(command, check=False, capture_output=True, text=True)
                if done.returncode:
                    raise RuntimeError(f"{name} could not be installed: {done.stderr}")
            (place / "whole").touch()
    return place / "bin"
