"""Real shells complete verbs, flags and the names of a project."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from contextlib import suppress
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
LINE_BEGIN, LINE_END = "\x01", "\x05"
"""Keys that go to the two ends of a line."""


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of a shell that finds vitrify, and a project for it in the folder."""
    (folder / "vitrify.yaml").write_text(DECLARATION)
    program = folder / "bin" / "vitrify"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m vitrify "$@"\n')
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder), "TERM": "dumb"}


def said(folder: Path, *shell: str) -> str:
    done = subprocess.run(shell, cwd=folder, env=surroundings(folder), check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout


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
    assert said(tmp_path, "bash", "--norc", "-c", ASK, "bash", *words).split() == offered


@pytest.mark.skipif(not which("fish"), reason="no fish")
def test_fish_completes(tmp_path: Path) -> None:
    asked = [f'complete -C "{begun}"; echo ==' for begun in ("vitrify und", "vitrify plan -e pr", "vitrify completion z")]
    script = "vitrify completion fish | source; " + "; ".join(asked)

    told = said(tmp_path, "fish", "--no-config", "-c", script).split("==\n")

    assert [[line.split("\t")[0] for line in each.splitlines()] for each in told] == [["undo"], ["preview", "prod"], ["zsh"], []]


@pytest.mark.skipif(not which("zsh"), reason="no zsh")
def test_zsh_completes(tmp_path: Path) -> None:
    """At a terminal, with the key that a person would press; what the line is then is printed by the shell itself."""
    terminal, end = pty.openpty()
    shell = subprocess.Popen(["zsh", "-f", "-i"], cwd=tmp_path, env=surroundings(tmp_path), stdin=end, stdout=end, stderr=end)
    os.close(end)
    try:
        typed = ["autoload -U compinit; compinit -u; bindkey -e; unsetopt zle_bracketed_paste", 'eval "$(vitrify completion zsh)"']
        begun = ("vitrify und", "vitrify plan -e te", "vitrify completion z")
        typed += [f"{each}\t{LINE_BEGIN}print -r -- '<{LINE_END}>'" for each in begun]
        typed.append("exit")
        os.write(terminal, "".join(f"{line}\n" for line in typed).encode())
        shown = read_all(terminal)
    finally:
        shell.kill()
        shell.wait()
        os.close(terminal)

    assert re.findall(r"^<(.*?) *>\r?$", shown, re.MULTILINE) == ["vitrify undo", "vitrify plan -e test", "vitrify completion zsh"]


def read_all(terminal: int) -> str:
    """What is shown until the shell ends."""
    shown = b""
    with suppress(OSError):  # how a terminal says that nobody is at its other end
        while select.select([terminal], [], [], 20)[0] and (part := os.read(terminal, 4096)):
            shown += part
    return shown.decode()
