from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from vitrify.builders import tar
from vitrify.builders.layer import pack
from vitrify.builders.manifest import Process, documents
from vitrify.builders.tree import Stamp, Tree
from vitrify.core.diagnostic import Denied, IntegrityFailed
from vitrify.core.digest import digest_bytes
from vitrify.onhost.layout import LAYER, Descriptor, blob_path, read_manifest
from vitrify.onhost.unpack import Unpacked, unpack
from vitrify.stores.layout import LayoutStore

Members = list[tuple[str, bytes]]
"""`name/`: a folder; `name -> target`: a link; `name`: a file with this content."""


def archive(members: Members) -> bytes:
    return b"".join(member(name, content) for name, content in members) + tar.END


def member(name: str, content: bytes) -> bytes:
    path, arrow, target = name.partition(" -> ")
    if arrow:
        return tar.header(tar.Entry(path.encode(), tar.LINK, 0o777, link=target.encode()))
    if name.endswith("/"):
        return tar.header(tar.Entry(name[:-1].encode(), tar.DIRECTORY, 0o755))
    return tar.header(tar.Entry(name.encode(), tar.FILE, 0o644, size=len(content))) + content + tar.padding(len(content))


def image(store: LayoutStore, *layers: Members | bytes, base: str = "scratch") -> str:
    kept = []
    for content in (layer if isinstance(layer, bytes) else archive(layer) for layer in layers):
        with store.work() as work:
            (work / "layer").write_bytes(content)
            store.adopt(work / "layer", digest=digest_bytes(content))
        kept.append(Descriptor(LAYER, digest_bytes(content), len(content)))
    made = documents(Process(), layers=kept, labels={"dev.vitrify.base": base}, architecture="amd64")
    return store.publish(made.config, made.manifest).digest


def no_sync(_: int) -> None:
    """Power does not fail in a unit test."""


def unpacked(folder: Path, *layers: Members | bytes, base: str = "scratch") -> Unpacked:
    store = LayoutStore(folder / "store")
    digest = image(store, *layers, base=base)
    return unpack(store.folder(digest), digest, str(folder / "images" / "one"), sync=no_sync)


def tree(root: str) -> set[str]:
    below = {str(path.relative_to(root)) for path in Path(root).rglob("*")}
    return below - {"dev", "proc", "run", "sys", "tmp"}


def test_what_was_packed_is_what_is_unpacked(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "srv" / "app").mkdir(parents=True)
    (source / "srv" / "app" / "main.py").write_text("print()\n")
    (source / "srv" / "current").symlink_to("app")
    stamps = {b"srv": Stamp(0o555, 0, 0), b"srv/app": Stamp(0o750, 33, 33), b"srv/app/main.py": Stamp(0o640, 33, 33)}
    packing = Tree(str(source), stamps)
    with (tmp_path / "layer").open("wb") as file:
        first = pack(packing, file)

    done = unpacked(tmp_path, (tmp_path / "layer").read_bytes())

    for name in ("dev", "proc", "run", "sys", "tmp"):
        Path(done.root, name).rmdir()
    with (tmp_path / "again").open("wb") as file:
        again = pack(Tree(done.root, {} if os.geteuid() == 0 else stamps, disk_owners=os.geteuid() == 0), file)
    assert again == first
    assert stat.S_IMODE(Path(done.root, "srv").stat().st_mode) == 0o555


def test_every_root_has_the_folders_that_are_mounted_on(tmp_path: Path) -> None:
    done = unpacked(tmp_path, [("srv/", b"")])

    assert {path.name for path in Path(done.root).iterdir()} == {"dev", "proc", "run", "srv", "sys", "tmp"}
    assert done.entries == {"srv": "directory"}


def test_layers_lie_on_each_other_and_removals_apply(tmp_path: Path) -> None:
    lower: Members = [
        ("etc/", b""),
        ("etc/a", b"old"),
        ("etc/b", b""),
        ("opt/", b""),
        ("opt/x", b""),
        ("opt/deep/", b""),
        ("opt/deep/y", b""),
    ]
    upper: Members = [
        ("etc/a", b"new"),
        ("etc/.wh.b", b""),
        ("opt/", b""),
        ("opt/!early", b""),
        ("opt/.wh..wh..opq", b""),
        ("opt/deep/z", b""),
    ]

    done = unpacked(tmp_path, lower, upper)

    assert tree(done.root) == {"etc", "etc/a", "opt", "opt/!early", "opt/deep", "opt/deep/z"}
    assert Path(done.root, "etc/a").read_bytes() == b"new"


def test_a_file_takes_the_place_of_a_folder_and_a_folder_that_of_a_link(tmp_path: Path) -> None:
    done = unpacked(tmp_path, [("a/", b""), ("a/b", b""), ("l -> /etc", b"")], [("a", b"file"), ("l/", b""), ("l/x", b"")])

    assert tree(done.root) == {"a", "l", "l/x"}
    assert not Path(done.root, "l").is_symlink()


def test_on_the_running_system_removals_stay_as_an_overlays(tmp_path: Path) -> None:
    done = unpacked(tmp_path, [("etc/", b""), ("etc/.wh.motd", b""), ("opt/", b""), ("opt/.wh..wh..opq", b"")], base="host")

    mark = Path(done.root, "etc", "motd").lstat()
    assert stat.S_ISCHR(mark.st_mode)
    assert mark.st_rdev == 0
    assert os.getxattr(Path(done.root, "opt"), "user.overlay.opaque") == b"y"


def test_asking_twice_does_the_work_once(tmp_path: Path) -> None:
    first = unpacked(tmp_path, [("etc/", b"")])
    before = Path(first.root).stat()

    again = unpacked(tmp_path, [("etc/", b"")])

    assert again == first
    assert Path(again.root).stat().st_ino == before.st_ino


def test_what_a_killed_unpacking_left_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / "images" / ".one.part" / "root" / "locked"
    left.mkdir(parents=True)
    (left / "file").touch()
    left.chmod(0)

    done = unpacked(tmp_path, [("etc/", b"")])

    assert tree(done.root) == {"etc"}
    assert not (tmp_path / "images" / ".one.part").exists()


def test_a_folder_of_another_image_is_not_taken_for_this_one(tmp_path: Path) -> None:
    unpacked(tmp_path, [("etc/", b"")])

    with pytest.raises(IntegrityFailed, match="holds another image"):
        unpacked(tmp_path, [("srv/", b"")])


def test_one_flipped_byte_anywhere_in_a_blob_is_found(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "store")
    digest = image(store, [("etc/", b""), ("etc/motd", b"content")])
    manifest = read_manifest(store.folder(digest), digest)
    layout = store.folder(digest)
    for name in (digest, manifest.config.digest, manifest.layers[0].digest):
        path = blob_path(layout, name)
        whole = path.read_bytes()
        for at in range(0, len(whole), 97):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(IntegrityFailed):
                unpack(layout, digest, str(tmp_path / "images" / "one"), sync=no_sync)
        path.write_bytes(whole)

    assert not (tmp_path / "images" / "one").exists()


def test_a_blob_that_is_gone_or_cut_is_told(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "store")
    digest = image(store, [("etc/", b"")])
    layout = store.folder(digest)
    path = blob_path(layout, read_manifest(layout, digest).layers[0].digest)

    for damage in (lambda: path.write_bytes(path.read_bytes() + b"\0"), lambda: os.truncate(path, 512), path.unlink):
        damage()
        with pytest.raises(IntegrityFailed):
            unpack(layout, digest, str(tmp_path / "images" / "one"), sync=no_sync)


HOSTILE: dict[str, list[Members]] = {
    "through a link": [[("out -> /", b""), ("out/pwned", b"x")]],
    "through a link of a lower layer": [[("out -> ..", b"")], [("out/pwned", b"x")]],
    "through a file": [[("f", b""), ("f/pwned", b"x")]],
    "through a link with a removal": [[("out -> /", b""), ("out/.wh.etc", b"")]],
    "through a link with an opaque mark": [[("out -> /", b""), ("out/.wh..wh..opq", b"")]],
    "the same file twice": [[("f", b"1"), ("f", b"2")]],
    "a removal of nothing": [[("etc/.wh.", b"")]],
    "a removal of the folder above": [[("etc/.wh...", b"")]],
    "a removal of what it brings": [[("f", b""), (".wh.f", b"")]],
}


@pytest.mark.parametrize("layers", HOSTILE.values(), ids=HOSTILE)
def test_no_layer_reaches_outside(tmp_path: Path, layers: list[Members]) -> None:
    with pytest.raises(Denied):
        unpacked(tmp_path, *layers)

    assert not (tmp_path / "images" / "one").exists()
    assert not Path("/pwned").exists()
    assert {path.name for path in (tmp_path / "images").iterdir()} <= {".one.part", ".one.lock"}


def test_a_link_that_points_outside_is_kept_as_it_is_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine")

    done = unpacked(tmp_path, [(f"l -> {tmp_path}/outside", b"")], [("l", b"theirs")])

    assert (tmp_path / "outside").read_text() == "mine"
    assert Path(done.root, "l").read_bytes() == b"theirs"
