from __future__ import annotations

import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from vitrify.builders.layer import pack
from vitrify.builders.manifest import Process, documents
from vitrify.builders.tree import Stamp, Tree, readable, stamps
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSONObject, digest_bytes


def packed(tree: Tree) -> tuple[str, bytes]:
    out = io.BytesIO()
    layer = pack(tree, out)
    assert (layer.digest, layer.size) == (digest_bytes(out.getvalue()), len(out.getvalue()))
    return layer.digest, out.getvalue()


def members(tree: Tree) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(packed(tree)[1])) as archive:
        return {member.name: member for member in archive}


def sample(folder: Path) -> Tree:
    """A little system; `docs/formats/image.md` gives the digest of its layer."""
    (folder / "etc").mkdir()
    (folder / "etc" / "motd").write_text("managed by vitrify\n")
    (folder / "srv" / "app").mkdir(parents=True)
    (folder / "srv" / "app" / "naïve.txt").write_bytes(b"")
    (folder / "srv" / "app" / "current").symlink_to("/srv/app/naïve.txt")
    (folder / "srv" / "app-data").mkdir()
    table: JSONObject = {path: {"mode": "0755", "uid": 0, "gid": 0} for path in ("/etc", "/srv", "/srv/app", "/srv/app-data")}
    table["/etc/motd"] = {"mode": "0644", "uid": 0, "gid": 0}
    table["/srv/app/naïve.txt"] = {"mode": "0640", "uid": 33, "gid": 33}
    return Tree(str(folder), stamps(table))


FORMAT = Path(__file__).parents[3] / "docs" / "formats" / "image.md"


def test_the_image_of_the_documented_sample_has_the_documented_digest(tmp_path: Path) -> None:
    layer = pack(sample(tmp_path), io.BytesIO())
    labels = {"dev.vitrify.base": "scratch", "dev.vitrify.project": "shop", "dev.vitrify.server": "web"}

    made = documents(Process(), layers=[layer], labels=labels, architecture="amd64")

    assert made.digest in FORMAT.read_text(encoding="utf-8")


def test_the_layer_of_the_documented_sample_has_the_documented_digest(tmp_path: Path) -> None:
    digest, content = packed(sample(tmp_path))

    assert digest in FORMAT.read_text(encoding="utf-8")
    assert len(content) == 7168


def test_entries_are_sorted_by_the_bytes_of_their_paths(tmp_path: Path) -> None:
    assert list(members(sample(tmp_path))) == [
        "etc",
        "etc/motd",
        "srv",
        "srv/app",
        "srv/app-data",
        "srv/app/current",
        "srv/app/naïve.txt",
    ]


def test_times_and_names_of_owners_are_nobodys(tmp_path: Path) -> None:
    found = members(sample(tmp_path)).values()

    assert {(member.mtime, member.uname, member.gname) for member in found} == {(0, "", "")}


def test_modes_and_owners_come_from_the_table_and_else_from_the_disk_and_root(tmp_path: Path) -> None:
    for name, mode in (("listed", 0o600), ("unlisted", 0o4755)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)

    found = members(Tree(str(tmp_path), {b"listed": Stamp(0o2711, 7, 8)}))

    assert (found["listed"].mode, found["listed"].uid, found["listed"].gid) == (0o2711, 7, 8)
    assert (found["unlisted"].mode, found["unlisted"].uid, found["unlisted"].gid) == (0o4755, 0, 0)


def test_owners_on_disk_count_for_a_base_that_root_unpacked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    found = members(Tree(str(tmp_path), disk_owners=True))

    assert (found["file"].uid, found["file"].gid) == (os.geteuid(), os.getegid())


def test_a_hard_link_is_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("same")
    (tmp_path / "two").hardlink_to(tmp_path / "one")

    assert [member.type for member in members(Tree(str(tmp_path))).values()] == [tarfile.REGTYPE] * 2


def test_a_whiteout_becomes_the_layers_own_mark(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mknod(tmp_path / "etc" / "motd", 0o020000, 0)

    assert list(members(Tree(str(tmp_path), overlay=True))) == ["etc", "etc/.wh.motd"]


def test_an_opaque_folder_is_marked_before_all_that_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "!first").touch()
    os.setxattr(tmp_path / "etc", "user.overlay.opaque", b"y")

    assert list(members(Tree(str(tmp_path), overlay=True))) == ["etc", "etc/.wh..wh..opq", "etc/!first"]


def test_a_whiteout_in_a_base_is_a_device_and_refused(tmp_path: Path) -> None:
    os.mknod(tmp_path / "gone", 0o020000, 0)

    with pytest.raises(TargetFailed, match=r"/gone is a character device"):
        packed(Tree(str(tmp_path)))


def test_a_pipe_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    os.mkfifo(tmp_path / "run" / "queue")

    with pytest.raises(TargetFailed, match=r"/run/queue is a pipe"):
        packed(Tree(str(tmp_path)))


def test_a_socket_is_refused_by_name(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))

        with pytest.raises(TargetFailed, match="/s is a socket"):
            packed(Tree(str(tmp_path)))


def test_a_name_that_would_mean_a_removal_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".wh.motd").touch()

    with pytest.raises(TargetFailed, match="mean a removal"):
        packed(Tree(str(tmp_path)))


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).touch()

    with pytest.raises(TargetFailed, match="not UTF-8"):
        packed(Tree(str(tmp_path)))


def test_what_the_kernel_shows_and_what_we_remember_is_never_packed(tmp_path: Path) -> None:
    for name in ("dev/shm", "proc/1", "sys/kernel", "var/lib/vitrify/journal"):
        (tmp_path / name).mkdir(parents=True)

    assert list(members(Tree(str(tmp_path)))) == ["dev", "proc", "sys", "var", "var/lib"]


def test_a_folder_nested_too_deep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "/".join(["d"] * 300)).mkdir(parents=True)

    with pytest.raises(TargetFailed, match="too deep"):
        packed(Tree(str(tmp_path)))


def test_what_cannot_be_read_is_named_with_what_helps() -> None:
    with pytest.raises(TargetFailed, match=r"cannot read /etc/shadow \(Permission denied\)\n.*run as a user"), readable(b"/etc/shadow"):
        raise PermissionError(13, "Permission denied")
