"""A sweep sees everything, waits for nothing, and reads again only what may have changed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vitrify.core.digest import digest_bytes, keyed_digest
from vitrify.onhost.fingerprint import Known
from vitrify.onhost.root import folder_system
from vitrify.onhost.sidecar import Sidecar
from vitrify.onhost.sweep import DEEPEST, Fingerprints, Sweep

KEY = b"key"
LATER = 1 << 62
"""So long after everything that every time can be relied on."""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path / "deep", ignore_errors=True)


def sweep(root: Path, *folders: str, known: Fingerprints | None = None, now_ns: int = LATER) -> Fingerprints:
    system = folder_system(str(root), sidecar=None if os.geteuid() == 0 else Sidecar({}), bwrap="", blob=lambda _: b"", key=KEY)
    return Sweep(system, key=KEY, skip=("/memory",)).over(folders or ("/",), known=known or {}, now_ns=now_ns)


def test_each_entry_is_told_with_what_it_is(root: Path) -> None:
    (root / "file").write_text("content")
    (root / "file").chmod(0o644)
    (root / "folder").mkdir(mode=0o755)
    (root / "link").symlink_to("file")

    found = {path: known.print for path, known in sweep(root).items()}

    assert set(found) == {"/", "/file", "/folder", "/link"}
    assert (found["/file"]["type"], found["/file"]["mode"], found["/file"]["size"]) == ("file", "0644", 7)
    assert found["/file"]["sha256"] == digest_bytes(b"content")
    assert found["/link"]["link"] == "file"
    assert found["/folder"]["type"] == "directory"


def test_the_content_of_what_not_everybody_may_read_is_told_by_a_keyed_digest(root: Path) -> None:
    (root / "secret").write_text("1234")
    (root / "secret").chmod(0o640)

    assert sweep(root)["/secret"].print["sha256"] == keyed_digest(b"1234", key=KEY)


def test_pipes_sockets_and_strange_names_do_not_stop_it(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(root / "socket"))
    for name in ("two\nlines", "\udcff", "x" * 255, " ", "-n"):
        (root / name).write_text("")

    found = sweep(root)

    assert found["/pipe"].print["type"] == "pipe"
    assert found["/socket"].print["type"] == "socket"
    assert {"/two\nlines", "/\udcff", "/" + "x" * 255, "/ ", "/-n"} <= set(found)


def test_a_file_of_holes_is_read_by_what_is_written_in_it(root: Path) -> None:
    for name, at in (("holes", 0), ("moved", 4096)):
        with (root / name).open("wb") as file:
            file.truncate(1 << 40)
            file.seek((1 << 39) + at)
            file.write(b"here")

    found = sweep(root)

    assert str(found["/holes"].print["sha256"]).startswith("blocks-sha256:")
    assert found["/holes"].print["sha256"] != found["/moved"].print["sha256"]


def test_a_folder_without_a_bottom_is_noted_and_not_entered(root: Path) -> None:
    (root / "deep").mkdir()
    descriptor = os.open(root / "deep", os.O_RDONLY)
    for _ in range(DEEPEST + 5):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)

    found = sweep(root)

    assert len(found) == DEEPEST + 1
    assert [known.print["note"] for known in found.values() if "note" in known.print] == [f"more than {DEEPEST} levels deep: not entered"]


def test_a_link_to_a_folder_is_not_entered(root: Path) -> None:
    (root / "loop").symlink_to(".")

    assert set(sweep(root)) == {"/", "/loop"}


def test_what_is_not_there_is_no_error(root: Path) -> None:
    assert sweep(root, "/nothing") == {}


def test_what_is_left_out_is_left_out(root: Path) -> None:
    (root / "memory").mkdir()
    (root / "memory/secret").write_text("")

    assert set(sweep(root)) == {"/"}


def test_what_did_not_move_is_not_read_again(root: Path) -> None:
    path = root / "file"
    path.write_text("content")
    first = sweep(root)
    forged = dict(first)
    forged["/file"] = Known({**first["/file"].print, "sha256": "as before"}, first["/file"].seen)

    assert sweep(root, known=forged)["/file"].print["sha256"] == "as before"

    status = path.stat()
    path.write_text("CONTENT")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert sweep(root, known=forged)["/file"].print["sha256"] == digest_bytes(b"CONTENT"), "its ctime gives it away"


def test_what_was_written_just_before_it_was_read_is_read_again(root: Path) -> None:
    path = root / "file"
    path.write_text("content")
    found = sweep(root, now_ns=path.stat().st_ctime_ns)

    assert found["/file"].seen == ()


ALONE_AND_TOGETHER = """
import os
import sys
from vitrify.onhost import sweep
from vitrify.onhost.root import folder_system
from vitrify.onhost.copies import Copies

def found(processes):
    sweep.cores, sweep.ALONE = lambda: processes, 1 << 16
    system = folder_system(sys.argv[1], sidecar=None, bwrap="", blob=None, key=b"key")
    return sweep.Sweep(system, key=b"key").over(("/",), known={}, now_ns=1 << 62)

alone = found(1)
assert len(alone) > 300 and found(3) == alone, "shared"
started = []
start = Copies.start
Copies.start = lambda self, work: (started.append(1), start(self, lambda: 1 / 0))
assert found(2) == alone and started, "a share was lost"
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("nothing is left running")
"""


def test_shared_between_processes_it_finds_the_same_even_where_one_of_them_dies(root: Path) -> None:
    for number in range(300):
        folder = root / f"folder{number % 7}" / f"{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file{number}").write_bytes(bytes([number % 256]) * 1000)

    done = subprocess.run([sys.executable, "-W", "error", "-c", ALONE_AND_TOGETHER, str(root)], check=False, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "nothing is left running\n"), done.stderr
