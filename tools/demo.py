"""`./run demo`: fetches the application that the demo serves, once, and then shows the demo."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "demo.lock"
APP = ROOT / ".venv" / "demo-app"
STAMP = APP / ".made-from"


def main() -> int:
    """Leave the application in `.venv/demo-app`, then run `vitrify demo` on it."""
    if not _fits() and not _fetch():
        print("./run: the demo's application could not be fetched; the reason stands above.", file=sys.stderr)
        return 1
    environment = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    return subprocess.run(
        [sys.executable, "-P", "-m", "vitrify", "demo", "--app", APP, *sys.argv[1:]], check=False, env=environment
    ).returncode


def _key() -> str:
    return hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()


def _fits() -> bool:
    return STAMP.exists() and STAMP.read_text(encoding="utf-8") == _key()


def _fetch() -> bool:
    print("./run: fetching httpbin and gunicorn for the demo (once)", file=sys.stderr)
    shutil.rmtree(APP, ignore_errors=True)
    words = ["--require-hashes", "--target", str(APP), "-r", str(LOCK)]
    uv = shutil.which("uv")
    with_uv = [uv, "pip", "install", "--quiet", "--python", sys.executable, *words] if uv else []
    with_pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", *words]
    if not (with_uv and _run(with_uv)) and not _run(with_pip):
        return False
    # Compiled files that name no time: they stay valid in an image, where every file has the same one.
    _run([sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(APP)])
    STAMP.write_text(_key(), encoding="utf-8")
    return True


def _run(command: list[str]) -> bool:
    return subprocess.run(command, check=False, stdout=sys.stderr).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
