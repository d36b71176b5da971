"""Makes `.venv` as the lock file says, once; every `./run` asks here first whether that is still so.

Started by a bare Python: the standard library alone. A stamp is written last, so an interrupted installation is never
taken for a whole one, and a lock on the repository's folder lets the second of two callers wait for the first.
`environment.py demo` also fetches the application that the demonstration serves, into a folder of its own.
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
PYTHON = VENV / "bin" / "python"
STAMP = "made-from"
LOCK = ROOT / "requirements" / "dev.lock"
DEMO_LOCK = ROOT / "requirements" / "demo.lock"
DEMO_APP = VENV / "demo"
PIP = (str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")


def main(arguments: list[str]) -> int:
    """Leave a `.venv` that fits, or say what is missing; 0 where it fits."""
    wanted = [(VENV, key(LOCK, ROOT / "pyproject.toml"), make)]
    if "demo" in arguments:
        wanted.append((DEMO_APP, key(DEMO_LOCK), make_demo))
    if all(_fits(folder, stamp) for folder, stamp, _ in wanted):
        return 0
    repository = os.open(ROOT, os.O_RDONLY)
    # Whatever we start inherits the lock: it ends with the last of them, even where we are killed.
    os.set_inheritable(repository, True)  # noqa: FBT003  os takes it by position alone
    fcntl.flock(repository, fcntl.LOCK_EX)
    for folder, stamp, maker in wanted:
        if not _fits(folder, stamp):  # the one we waited for may have made it
            if not maker():
                print(f"./run: {folder} could not be made; the reason stands above. The same command tries again.", file=sys.stderr)
                return 1
            _stamp(folder, stamp)
    return 0


def key(*inputs: Path) -> str:
    """What a folder depends on: these files, the Python, and the place (scripts name it)."""
    parts = [*(path.read_bytes() for path in inputs), f"{sys.executable} {sys.version}".encode(), bytes(VENV)]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest() + "\n"


def _fits(folder: Path, stamp: str) -> bool:
    try:
        return (folder / STAMP).read_text(encoding="utf-8") == stamp and PYTHON.exists()
    except OSError:
        return False


def _stamp(folder: Path, stamp: str) -> None:
    fresh = folder / f"{STAMP}.new"
    fresh.write_text(stamp, encoding="utf-8")
    fresh.replace(folder / STAMP)


def make() -> bool:
    """Build `.venv` from nothing: with uv where there is one, with pip otherwise, and where uv does not manage."""
    uv = shutil.which("uv")
    if not uv and not _venv_can_be_made():
        return False
    print(f"./run: making .venv with Python {sys.version.split()[0]} (once; a minute or so)", file=sys.stderr)
    if uv and _with_uv(uv):
        return True
    return _venv_can_be_made() and _with_pip()


def _venv_can_be_made() -> bool:
    if importlib.util.find_spec("ensurepip"):
        return True
    if Path(sys.executable).parent != Path("/usr/bin") or not shutil.which("apt-get"):
        print(f"./run: {sys.executable} cannot make virtual environments: it has no ensurepip module", file=sys.stderr)
        return False
    return _run([sys.executable, "-I", str(ROOT / "tools" / "debian.py"), "python3-venv"])


def _with_uv(uv: str) -> bool:
    install = [uv, "pip", "install", "--quiet", "--python", str(PYTHON)]
    _remove(VENV)
    done = (
        _run([uv, "venv", "--quiet", "--no-python-downloads", "--python", sys.executable, str(VENV)])
        and _run([*install, "--require-hashes", "-r", str(LOCK)])
        and _run([*install, "--offline", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])
    )
    if not done:
        print("./run: uv did not manage; trying with pip", file=sys.stderr)
    return done


def _with_pip() -> bool:
    _remove(VENV)
    return (
        _run([sys.executable, "-m", "venv", str(VENV)])
        and _run([*PIP, "--require-hashes", "-r", str(LOCK)])
        and _run([*PIP, "--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])
    )


def make_demo() -> bool:
    """Install what the demonstration serves, apart from everything else: it is baked into images."""
    print("./run: fetching the application that the demonstration serves (once)", file=sys.stderr)
    _remove(DEMO_APP)
    wanted = ["--target", str(DEMO_APP), "--require-hashes", "-r", str(DEMO_LOCK)]
    with_uv = [shutil.which("uv") or "uv", "pip", "install", "--quiet", "--python", str(PYTHON), *wanted]
    if not _run([*PIP, "--no-compile", *wanted] if (VENV / "bin" / "pip").exists() else with_uv):
        return False
    # Compiled files that name no time stay valid in an image, where every file has the same one.
    return _run([str(PYTHON), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(DEMO_APP)])


def _remove(folder: Path) -> None:
    # The stamp goes first: if we are stopped half way, what is left must not look whole.
    (folder / STAMP).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str]) -> bool:
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}}
    return subprocess.run(command, check=False, cwd=ROOT, env=environment, stdout=sys.stderr, close_fds=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
