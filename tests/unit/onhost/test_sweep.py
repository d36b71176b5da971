"""A sweep sees everything, waits for nothing, and reads again only what may have changed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from vitrify.core.digest import JSONObject, digest_bytes, keyed_digest
from vitrify.onhost.fingerprint import Print, Taken
from vitrify.onhost.records import Record, Tree, differing, prints, split
from vitrify.onhost.root import folder_system
from vitrify.onhost.sidecar import Sidecar
from vitrify.onhost.sweep import Sweep, Swept
from vitrify.onhost.walk import DEEPEST, Manner

KEY = b"key"
LATER = 1 << 62
"""So long after everything that every time can be relied on."""
STATS = Manner()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path / "deep", ignore_errors=True)


def swept(root: Path, *folders: str, known: Tree | None = None, now_ns: int = LATER, manner: Manner = STATS) -> Swept:
    system = folder_system(str(root), sidecar=None if os.geteuid() == 0 else Sidecar({}), bwrap="", blob=lambda _: b"", key=KEY)
    return Sweep(system, key=KEY, now_ns=now_ns, skip=("/memory",)).over(folders or ("/",), known=known or {}, manner=manner)


def found(tree: Tree) -> dict[str, Print]:
    return {path: entry for record in tree.values() for path, entry in prints(record).items()}


def sweep(root: Path, *folders: str) -> dict[str, JSONObject]:
    return {path: entry.to_json() for path, entry in found(swept(root, *folders).tree).items()}


def test_each_entry_is_told_with_what_it_is(root: Path) -> None:
    (root / "file").write_text("content")
    (root / "file").chmod(0o644)
    (root / "folder").mkdir(mode=0o755)
    (root / "link").symlink_to("file")

    seen = sweep(root)

    assert set(seen) == {"/", "/file", "/folder", "/link"}
    assert (seen["/file"]["type"], seen["/file"]["mode"], seen["/file"]["size"]) == ("file", "0644", 7)
    assert seen["/file"]["sha256"] == digest_bytes(b"content")
    assert seen["/link"]["link"] == "file"
    assert seen["/folder"]["type"] == "directory"


def test_the_content_of_what_not_everybody_may_read_is_told_by_a_keyed_digest(root: Path) -> None:
    (root / "secret").write_text("1234")
    (root / "secret").chmod(0o640)

    assert sweep(root)["/secret"]["sha256"] == keyed_digest(b"1234", key=KEY)


def test_pipes_sockets_and_strange_names_do_not_stop_it(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(root / "socket"))
    for name in ("two\nlines", "\udcff", "x" * 255, " ", "-n", "\x1b[2J\x1b]0;title\x07", "\r", "\u202e"):
        (root / name).write_text("")

    seen = sweep(root)

    assert seen["/pipe"]["type"] == "pipe"
    assert seen["/socket"]["type"] == "socket"
    assert {"/two\nlines", "/\udcff", "/" + "x" * 255, "/ ", "/-n", "/\x1b[2J\x1b]0;title\x07", "/\r", "/\u202e"} <= set(seen)


def test_a_file_of_holes_is_read_by_what_is_written_in_it(root: Path) -> None:
    for name, at in (("holes", 0), ("moved", 4096)):
        with (root / name).open("wb") as file:
            file.truncate(1 << 40)
            file.seek((1 << 39) + at)
            file.write(b"here")

    seen = sweep(root)

    assert str(seen["/holes"]["sha256"]).startswith("blocks-sha256:")
    assert seen["/holes"]["sha256"] != seen["/moved"]["sha256"]


def test_a_folder_without_a_bottom_is_noted_and_not_entered(root: Path) -> None:
    (root / "deep").mkdir()
    descriptor = os.open(root / "deep", os.O_RDONLY)
    for _ in range(DEEPEST + 5):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)

    seen = sweep(root)

    assert len(seen) == DEEPEST + 1
    assert [entry["note"] for entry in seen.values() if "note" in entry] == [f"more than {DEEPEST} levels deep: not entered"]


def test_a_link_to_a_folder_is_not_entered(root: Path) -> None:
    (root / "loop").symlink_to(".")

    assert set(sweep(root)) == {"/", "/loop"}


def test_what_is_not_there_is_no_error(root: Path) -> None:
    assert sweep(root, "/nothing") == {}


def test_what_is_left_out_is_left_out(root: Path) -> None:
    (root / "memory").mkdir()
    (root / "memory/secret").write_text("")

    assert set(sweep(root)) == {"/"}


def forged(tree: Tree, folder: str, name: bytes) -> Tree:
    """The same, but this entry is said to have had another content: who does not read it believes that."""
    own, entries = tree[folder].taken()
    entries[name] = Taken(entries[name].print._replace(content="as before"), entries[name].seen)
    return {**tree, folder: Record.of(folder, own, entries, split(tree[folder].parts.folders))}


def test_what_did_not_move_is_not_read_again(root: Path) -> None:
    path = root / "file"
    path.write_text("content")
    known = forged(swept(root).tree, "/", b"file")

    again = swept(root, known=known)

    assert again.tree["/"] is known["/"], "a folder in which nothing moved is the one that is known"
    assert (again.entries, again.read) == (2, 0)
    status = path.stat()
    path.write_text("CONTENT")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert found(swept(root, known=known).tree)["/file"].content == digest_bytes(b"CONTENT"), "its ctime gives it away"


def test_a_file_that_came_beside_others_is_read_and_they_are_not(root: Path) -> None:
    (root / "file").write_text("content")
    known = forged(swept(root).tree, "/", b"file")
    (root / "more").write_text("more")

    again = swept(root, known=known)

    assert {path: entry.content for path, entry in found(again.tree).items()} == {
        "/": "",
        "/file": "as before",
        "/more": digest_bytes(b"more"),
    }
    assert again.read == len("more")


def test_each_turn_reads_its_share_of_the_folders_and_all_turns_read_everything(root: Path) -> None:
    for number in range(40):
        (root / f"folder{number}").mkdir()
        (root / f"folder{number}/file").write_text("content")
    known = swept(root).tree

    read = [swept(root, known=known, manner=Manner(turn=turn, shares=4)).read for turn in range(4)]

    assert sum(read) == 40 * len("content")
    assert max(read) < sum(read)
    assert swept(root, known=known, manner=Manner(whole=True)).read == sum(read)


def test_a_folder_that_went_is_not_there_any_more_with_all_that_was_in_it(root: Path) -> None:
    (root / "a/b/c").mkdir(parents=True)
    (root / "a/b/c/file").write_text("")
    known = swept(root).tree
    (root / "a/b").rename(root / "moved")
    (root / "a/b").symlink_to("../moved")

    again = swept(root, known=known).tree

    assert set(again) == {"/", "/a", "/moved", "/moved/c"}
    assert set(differing(known, again)) >= {"/a/b", "/a/b/c", "/a/b/c/file", "/moved", "/moved/c", "/moved/c/file"}


def test_what_was_written_just_before_it_was_read_is_read_again(root: Path) -> None:
    path = root / "file"
    path.write_text("content")
    known = forged(swept(root, now_ns=path.stat().st_ctime_ns).tree, "/", b"file")

    assert found(swept(root, known=known).tree)["/file"].content == digest_bytes(b"content")


def test_a_file_that_grows_as_it_is_read_and_one_that_goes_do_not_stop_it(root: Path) -> None:
    stop = Event()

    def write() -> None:
        while not stop.is_set():
            with (root / "growing").open("ab") as file:
                file.write(b"x" * 100_000)
            (root / "vanishing").write_bytes(b"")
            (root / "vanishing").unlink()

    (root / "growing").write_bytes(b"x" * 2_000_000)
    writer = Thread(target=write)
    writer.start()
    try:
        looks = [sweep(root) for _ in range(5)]
    finally:
        stop.set()
        writer.join()

    assert all(str(look["/growing"]["sha256"]).startswith("sha256:") for look in looks)


def test_extended_attributes_are_part_of_it_also_those_that_hold_rights(root: Path) -> None:
    (root / "file").write_text("")
    os.setxattr(root / "file", "user.colour", b"red")
    before = swept(root).tree
    assert sweep(root)["/file"]["xattrs"] == {"user.colour": base64.b64encode(b"red").decode()}
    os.setxattr(root / "file", "user.colour", b"blue")

    assert set(differing(before, swept(root, known=before).tree)) == {"/file"}


@pytest.mark.root
def test_what_only_root_can_make_is_told_apart(root: Path) -> None:
    os.mknod(root / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.mknod(root / "disk", stat.S_IFBLK | 0o600, os.makedev(7, 0))
    (root / "link").symlink_to("nowhere")
    (root / "file").write_text("")
    subprocess.run(["setcap", "cap_net_raw+ep", root / "file"], check=True)
    os.setxattr(root / "link", "trusted.mark", b"1", follow_symlinks=False)

    seen = sweep(root)

    assert (seen["/null"]["device"], seen["/disk"]["device"]) == ("c 1:3", "b 7:0")
    assert seen["/link"]["xattrs"] == {"trusted.mark": "MQ=="}
    assert "security.capability" in str(seen["/file"]["xattrs"])


@pytest.mark.root
def test_attributes_of_chattr_are_part_of_it(root: Path) -> None:
    (root / "file").write_text("")
    before = swept(root).tree
    if subprocess.run(["chattr", "+i", root / "file"], check=False, capture_output=True).returncode:
        pytest.skip("the file system has no such attributes")
    try:
        assert sweep(root)["/file"]["flags"] == "i"
        assert set(differing(before, swept(root, known=before).tree)) == {"/file"}
    finally:
        subprocess.run(["chattr", "-i", root / "file"], check=True)


@pytest.mark.root
def test_another_file_system_is_not_entered_and_a_folder_bound_over_another_is_seen(root: Path) -> None:
    for name in ("mounted", "bound", "other"):
        (root / name).mkdir()
    (root / "bound/mine").write_text("")
    (root / "other/theirs").write_text("")
    before = swept(root).tree
    script = """
import os, pickle, subprocess, sys
sys.path.insert(0, "tests/unit/onhost")
from pathlib import Path
from test_sweep import found, swept
root = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "none", root / "mounted"], check=True)
(root / "mounted/inside").write_text("")
subprocess.run(["mount", "--bind", root / "other", root / "bound"], check=True)
print(*sorted(found(swept(root).tree)))
"""
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", script, str(root)], check=True, capture_output=True, text=True
    ).stdout.split()

    assert set(found(before)) == {"/", "/mounted", "/bound", "/bound/mine", "/other", "/other/theirs"}
    assert done == ["/", "/bound", "/bound/theirs", "/mounted", "/other", "/other/theirs"]


@pytest.mark.root
def test_a_mount_that_does_not_answer_hides_nothing_else_and_a_folder_bound_into_itself_has_an_end(root: Path) -> None:
    for name in ("gone", "self", "other"):
        (root / name).mkdir()
    (root / "other/file").write_text("")
    script = """
import ctypes, json, os, subprocess, sys
sys.path.insert(0, "tests/unit/onhost")
from pathlib import Path
from test_sweep import found, swept
root = Path(sys.argv[1])
before = swept(root).tree
served = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={served},rootmode=40000,user_id=0,group_id=0".encode()
if ctypes.CDLL(None).mount(b"server", os.fsencode(root / "gone"), b"fuse", 0, options):
    sys.exit("cannot be mounted")
os.close(served)  # whoever served it is dead: everything that is asked of it fails
subprocess.run(["mount", "--bind", root, root / "self"], check=True)
looks = swept(root).tree, swept(root, known=before).tree
print(json.dumps([{path: entry.to_json() for path, entry in found(tree).items()} for tree in looks]))
"""
    done = subprocess.run(["unshare", "--mount", sys.executable, "-c", script, str(root)], check=False, capture_output=True, text=True)
    if done.stderr.strip() == "cannot be mounted" or "/dev/fuse" in done.stderr:
        pytest.skip("there is no FUSE")
    assert done.returncode == 0, done.stderr
    first, again = json.loads(done.stdout)

    inside = {"/self/gone", "/self/other", "/self/other/file", "/self/self"}
    assert set(first) == {"/", "/gone", "/other", "/other/file", "/self", *inside}
    assert first["/gone"]["note"] == "Transport endpoint is not connected"
    assert (again["/gone"]["note"], again["/gone"]["mode"]) == (first["/gone"]["note"], f"{(root / 'gone').stat().st_mode & 0o7777:04o}")


ALONE_AND_TOGETHER = """
import os
import sys
from vitrify.onhost import sweep
from vitrify.onhost.root import folder_system
from vitrify.onhost.copies import Copies

def found(processes, known={}):
    sweep.cores, sweep.ALONE = lambda: processes, 1 << 10
    system = folder_system(sys.argv[1], sidecar=None, bwrap="", blob=None, key=b"key")
    swept = sweep.Sweep(system, key=b"key", now_ns=1 << 62).over(("/",), known=known)
    return swept.entries, {path: bytes(record.raw) for path, record in swept.tree.items()}, swept.tree

alone, tree = found(1)[:2], found(1)[2]
assert alone[0] > 300 and found(3)[:2] == alone, "shared"
assert found(3, tree)[0] == alone[0], "nothing twice and nothing left out"
assert all(found(3, tree)[2][path] is record for path, record in tree.items()), "nothing moved"
started = []
start = Copies.start
Copies.start = lambda self, work: (started.append(1), start(self, lambda: 1 / 0))
assert found(2)[:2] == alone and started, "a share was lost"
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
