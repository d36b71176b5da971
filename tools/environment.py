"""Makes `.venv` as the lock file says, once; every `./run` asks here first whether that is still so.

Started by a bare Python: the standard library alone. A stamp is written last, so an interrupted installation is never
taken for a whole one, and a lock on the repository's folder lets the second of two callers wait for the first.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "made-from"
LOCK = ROOT / "requirements" / "dev.lock"


def main() -> int:
    """Leave a `.venv` that fits, or say what is missing; 0 where it fits."""
    if not fits():
        folder = os.open(ROOT, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        if not fits():  # the one we waited for may have made it
            return make()
    return 0


def fits() -> bool:
    """Whether `.venv` was made from just these inputs."""
    try:
        return STAMP.read_text(encoding="utf-8") == key() and (VENV / "bin" / "python").exists()
    except OSError:
        return False


def key() -> str:
    """What `.venv` depends on: the lock, the project's settings, the Python, and the folder (scripts name it)."""
    inputs = [LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), f"{sys.executable} {sys.version}".encode(), bytes(VENV)]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in inputs)).hexdigest() + "\n"


def make() -> int:
    """Build `.venv` from nothing and stamp it."""
    uv = shutil.which("uv")
    if not uv and importlib.util.find_spec("ensurepip") is None and not _venv_installed():
        return 1
    print(f"./run: making .venv with Python {sys.version.split()[0]} (once; a minute or so)", file=sys.stderr)
    if not ((uv and _with_uv(uv)) or _with_pip()):
        print("./run: .venv could not be made; the reason stands above. The same command tries again.", file=sys.stderr)
        return 1
    fresh = STAMP.with_suffix(".new")
    fresh.write_text(key(), encoding="utf-8")
    fresh.replace(STAMP)
    return 0


def _venv_installed() -> bool:
    if Path(sys.executable).parent != Path("/usr/bin") or not shutil.which("apt-get"):
        print(f"./run: {sys.executable} cannot make virtual environments: it has no ensurepip module", file=sys.stderr)
        return False
    return subprocess.run([sys.executable, "-I", ROOT / "tools" / "debian.py", "python3-venv"], check=False).returncode == 0


def _with_uv(uv: str) -> bool:
    python = VENV / "bin" / "python"
    _remove()
    done = (
        _run([uv, "venv", "--quiet", "--no-python-downloads", "--python", sys.executable, str(VENV)])
        and _run([uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(LOCK)])
        and _run(
            [uv, "pip", "install", "--quiet", "--offline", "--python", str(python), "--no-deps", "--no-build-isolation", "-e", str(ROOT)]
        )
    )
    if not done:
        print("./run: uv did not manage; trying with pip", file=sys.stderr)
    return done


def _with_pip() -> bool:
    if importlib.util.find_spec("ensurepip") is None and not _venv_installed():
        return False
    python = str(VENV / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    _remove()
    return (
        _run([sys.executable, "-m", "venv", str(VENV)])
        and _run([*install, "--require-hashes", "-r", str(LOCK)])
        and _run([*install, "--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])
    )


def _remove() -> None:
    # The stamp goes first: if we are stopped half way, what is left must not look whole.
    STAMP.unlink(missing_ok=True)
    shutil.rmtree(VENV, ignore_errors=True)


def _run(command: list[str]) -> bool:
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}}
    return subprocess.run(command, check=False, cwd=ROOT, env=environment, stdout=sys.stderr).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
