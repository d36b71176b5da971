"""A real bash completes verbs, flags and the names of a project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not which("bash"), reason="no bash")]

DECLARATION = """\
version: 1
project: shop
environments: {prod: {}, preview: {}, test: {}}
groups: {eu: {hosts: ["root:./a"]}}
servers:
  web: {lifecycle: mutable, hosts: [eu], resources: []}
"""
ASK = """
eval "$(vitrify completion bash)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_vitrify_completion vitrify
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(folder: Path, *words: str) -> list[str]:
    program = folder / "bin" / "vitrify"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m vitrify "$@"\n')
    program.chmod(0o755)
    environ = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    asked = ["bash", "--norc", "-c", ASK, "bash", *words]
    done = subprocess.run(asked, cwd=folder, env=environ, check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("vitrify", "und"), ["undo"]),
        (("vitrify", "plan", "-e", "pr"), ["prod", "preview"]),
        (("vitrify", "apply", "--limit", ""), ["web", "eu", "root:./a"]),
        (("vitrify", "completion", "z"), ["zsh"]),
    ],
)
def test_bash_completes(tmp_path: Path, words: tuple[str, ...], offered: list[str]) -> None:
    (tmp_path / "vitrify.yaml").write_text(DECLARATION)

    assert completed(tmp_path, *words) == offered
