"""Whatever is changed in a tree, a sweep finds it: the overlay that the tree is seen through says what was changed, and so does AIDE."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.amount import amount

from vitrify.onhost.records import differing
from vitrify.onhost.root import folder_system
from vitrify.onhost.sidecar import Sidecar
from vitrify.onhost.sweep import Sweep
from vitrify.onhost.walk import Manner

N = amount("sweep", daily=22)
ASKED = N if N >= 1_000 else N // 4
"""About so many of the changes AIDE is asked as well."""
PROGRAM = Path(__file__).with_name("sweep_changes.py")


@pytest.mark.root
def test_each_single_change_is_found_and_all_that_aide_finds_is(record_property: Callable[[str, object], None]) -> None:
    if not shutil.which("aide"):
        pytest.skip("AIDE is not installed")
    seed = random.getrandbits(32)
    # On a disk: in memory a folder has another size for each name in it, which is a difference to AIDE.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        command = ["unshare", "--mount", sys.executable, str(PROGRAM), folder, str(seed), str(N), str(ASKED)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    kinds = told["changes"]
    record_property("note", f"{sum(kinds.values())} changes of {len(kinds)} kinds, AIDE asked about {told['asked']}; seed {seed}")
    assert told["wrong"] == []


def test_a_tree_that_is_left_alone_has_no_finding_however_often_it_is_looked_at(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    for number in range(60):
        folder = tmp_path / f"folder{number % 7}" / f"{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file{number}").write_bytes(bytes(number * 100))
        (folder / f"link{number}").symlink_to("..")
    system = folder_system(str(tmp_path), sidecar=None if os.geteuid() == 0 else Sidecar({}), bwrap="", blob=lambda _: b"", key=b"key")

    known = Sweep(system, key=b"key", now_ns=1 << 62).over(("/",), known={}).tree
    read = 0
    for turn in range(N):
        manner = Manner(turn=turn, shares=10, whole=turn % 50 == 49)
        swept = Sweep(system, key=b"key", now_ns=1 << 62).over(("/",), known=known, manner=manner)
        assert not differing(known, swept.tree)
        read += swept.read
    record_property("note", f"{N} looks, {read} bytes read")
