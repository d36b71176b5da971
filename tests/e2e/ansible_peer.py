"""Ansible, to compare with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from locked import programs


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
    command = [str(programs("ansible") / "ansible-playbook"), "-i", f"{address},", "-u", "root", "-e", f"ansible_port={port}", str(book)]
    done = subprocess.run(command, cwd=book.parent, env=environ, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{done.stdout}\n{done.stderr}")
    return done.stdout
