"""Ansible, to compare with: installed from its own lock, once, into the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LOCK = REPOSITORY / "requirements" / "ansible.lock"


def program() -> Path:
    """Its `ansible-playbook`. Where packages come from is the machine's own pip configuration."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vitrify-tests"
    cache.mkdir(parents=True, exist_ok=True)
    made_from = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    place = cache / f"ansible-{made_from}"
    with (cache / "ansible.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "whole").exists():
            shutil.rmtree(place, ignore_errors=True)
            install = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input"]
            for command in ([sys.executable, "-m", "venv", str(place)], [*install, "--require-hashes", "-r", str(LOCK)]):
                done = subprocess.run(command, check=False, capture_output=True, text=True)
                if done.returncode:
                    raise RuntimeError(f"Ansible could not be installed: {done.stderr}")
            (place / "whole").touch()
    return place / "bin" / "ansible-playbook"


def play(book: Path, address: str, *, port: int, config: Path, home: Path) -> str:
    """Run a playbook as root of one machine; returns what it told. It reads no settings but these."""
    home.mkdir(exist_ok=True)
    (home / "ansible.cfg").touch()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_SSH_ARGS": f"-F {config} -o ControlMaster=no",
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        "ANSIBLE_NOCOLOR": "1",
    }
    command = [str(program()), "-i", f"{address},", "-u", "root", "-e", f"ansible_port={port}", str(book)]
    done = subprocess.run(command, cwd=book.parent, env=environ, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{done.stdout}\n{done.stderr}")
    return done.stdout
