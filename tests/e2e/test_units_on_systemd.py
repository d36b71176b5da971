"""A real systemd reads our unit files back as exactly the values that they were written from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vitrify.core.unit import Service, environment_file, text

SYSTEMD = Path("/lib/systemd/systemd")
ALONE = """
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system
mount -t cgroup2 cgroup2 /sys/fs/cgroup
"$0" --user --log-target=console --unit=web.service &
wait
"""
"""In namespaces of its own: a user instance asks whether the system was booted with systemd, wants one cgroup tree, and is not PID 1."""

TELL = """
import json, os, sys
told = {"argv": sys.argv[2:], "env": dict(os.environ), "cwd": os.getcwd()}
open(sys.argv[1] + ".new", "w").write(json.dumps(told))
os.rename(sys.argv[1] + ".new", sys.argv[1])
"""

WORDS = (
    *("", "plain", "two words", " lead", "trail ", "50% off", "%n", "%%", "$HOME", "${HOME}x", "$$", "$", "a=b c", "@x", "-y", "+z", "!"),
    *('a"b\\c', "it's", '"', "\\", "\\\\", "\\x41", "\\n", "end\\", ";", "a;b", "#c", "~", "*", "{a,b}", "|", "&", "`id`", "grüße ☃"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "units").mkdir()
    (tmp_path / "tell.py").write_text(TELL)
    (tmp_path / "50% of $x").mkdir()
    (tmp_path / "run").mkdir(mode=0o700)
    return tmp_path


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """A user instance of systemd that starts `web.service`, gone afterwards with all that it started."""
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder / "run"), "SYSTEMD_UNIT_PATH": f"{folder / 'units'}:"}
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", ALONE, str(SYSTEMD)]
    with (folder / "console").open("wb") as console, subprocess.Popen(unshare, env=environment, stdout=console, stderr=console) as process:
        try:
            yield
        finally:
            process.kill()


def told(folder: Path, service: Service) -> dict[str, object]:
    """What the program that a real systemd started from this unit found in its hands."""
    (folder / "units" / "web.service").write_text(text(service))
    answer = folder / "answer"
    with running(folder):
        deadline = time.monotonic() + 20
        while not answer.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert answer.exists(), (folder / "console").read_text()
    found: dict[str, object] = json.loads(answer.read_text())
    return found


@pytest.mark.e2e
@pytest.mark.root
@pytest.mark.skipif(not SYSTEMD.exists(), reason="there is no systemd here")
def test_systemd_reads_back_every_word_variable_and_secret(folder: Path) -> None:
    environment = {f"V{number}": word for number, word in enumerate(WORDS)}
    secrets = {f"S{number}": word for number, word in enumerate((*WORDS, "two\nlines", "a\ttab", '\n"\n'))}
    (folder / "secret.env").write_text(environment_file(secrets))
    service = Service(
        name="50% $x",
        argv=(sys.executable, str(folder / "tell.py"), str(folder / "answer"), *WORDS),
        environment=environment,
        workdir=str(folder / "50% of $x"),
        environment_file=str(folder / "secret.env"),
    )

    found = told(folder, service)

    assert found["argv"] == list(WORDS)
    assert found["cwd"] == service.workdir
    seen = found["env"]
    assert isinstance(seen, dict)
    assert {name: seen.get(name) for name in environment} == environment
    assert {name: seen.get(name) for name in secrets} == secrets
