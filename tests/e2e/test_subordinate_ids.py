"""Somebody who is not root, in a user namespace of their own: what they gave away there, and how it goes again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import anybody

pytestmark = [pytest.mark.e2e, pytest.mark.root]

GIVE = """
import os, subprocess, sys
from vitrify.project.subordinate import here, tried
ids = tried(here())
assert ids.granted, ids
subprocess.run([*ids.argv, "/bin/sh", "-c", "id -u; chown -R 33:33 theirs && chmod -R go-rwx theirs"], check=True)
"""
TAKE = """
from vitrify.project.subordinate import removed
removed("theirs")
"""


@pytest.fixture
def place() -> Iterator[Path]:
    if reason := anybody.lacking():
        pytest.skip(reason)
    with anybody.place() as folder:
        yield folder


def run(place: Path, program: str) -> str:
    command = anybody.granted(place / "tables", [sys.executable, "-P", "-c", program])
    done = subprocess.run(command, cwd=place / "work", capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_a_killed_bake_gave_away_is_removed_by_whoever_gave_it(place: Path) -> None:
    (place / "work/theirs/within").mkdir(parents=True)
    (place / "work/theirs/within/file").write_text("theirs")
    anybody.hand_over(place / "work")

    assert run(place, GIVE) == "0\n"
    owner = (place / "work/theirs/within/file").stat().st_uid
    run(place, TAKE)

    assert owner == anybody.FIRST + 32
    assert not (place / "work/theirs").exists()
