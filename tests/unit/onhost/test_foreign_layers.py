from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from vitrify.core.diagnostic import Denied, IntegrityFailed
from vitrify.core.digest import digest_bytes
from vitrify.onhost.foreign import ForeignArchive
from vitrify.onhost.layer import Root
from vitrify.onhost.layout import Checked, Descriptor

FORMS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
KINDS = {
    "/": tarfile.DIRTYPE,
    "->": tarfile.SYMTYPE,
    "=>": tarfile.LNKTYPE,
    "c": tarfile.CHRTYPE,
    "b": tarfile.BLKTYPE,
    "|": tarfile.FIFOTYPE,
}

Written = Iterable[tuple[str, str, str]]
"""Name; `` for a file, or one of `KINDS`; content or target."""


def packed(entries: Written, form: int = tarfile.PAX_FORMAT) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=form) as archive:
        for name, kind, more in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = KINDS.get(kind, tarfile.REGTYPE), 0o4755 if kind == "" else 0o755
            entry.linkname, content = (more, b"") if kind in ("->", "=>") else ("", more.encode())
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return held.getvalue()


def laid(folder: Path, *layers: bytes) -> Path:
    root = folder / "root"
    root.mkdir(exist_ok=True)
    place = Root(str(root), beneath=False)
    try:
        for content in layers:
            digest = digest_bytes(content)
            path = folder / "blobs/sha256" / digest[7:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            blob = Checked(str(folder), Descriptor("", digest, len(content)))
            try:
                place.apply(blob, foreign=True)
                blob.finish()
            finally:
                blob.close()
        place.finish()
    finally:
        place.close()
    return root


def tree(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


@pytest.mark.parametrize("form", FORMS)
def test_every_spelling_of_an_archive_is_read(tmp_path: Path, form: str) -> None:
    long = "a/" * 60 + "name" if form != "ustar" else "a/" * 40 + "name"
    entries = [
        ("./", "/", ""),
        ("./usr/", "/", ""),
        ("usr/tool", "", "x" * 600),
        (long, "", "deep"),
        ("usr/link", "->", "/" + "b" * 90),
        ("/etc/x", "", "y"),
    ]

    root = laid(tmp_path, packed(entries, FORMS[form]))

    assert (root / "usr/tool").read_text() == "x" * 600
    assert (root / "usr/tool").stat().st_mode & 0o7777 == (0o4755 if os.geteuid() == 0 else 0o755)
    assert (root / long).read_text() == "deep"
    assert (root / "usr/link").readlink() == Path("/" + "b" * 90)
    assert (root / "etc/x").read_text() == "y"


def test_a_hard_link_is_one_file_under_two_names_also_across_layers(tmp_path: Path) -> None:
    lower = packed([("usr/a", "", "one"), ("usr/b", "=>", "usr/a")])

    root = laid(tmp_path, lower, packed([("c", "=>", "./usr/a"), ("usr/a", "", "new")]))

    assert (root / "usr/b").stat().st_ino == (root / "c").stat().st_ino
    assert ((root / "c").read_text(), (root / "usr/a").read_text()) == ("one", "new")


def test_an_entry_behind_a_link_comes_to_lie_where_the_link_leads_within_the_image(tmp_path: Path) -> None:
    lower = packed([("usr/lib/", "/", ""), ("lib", "->", "usr/lib"), ("out", "->", "../../../etc"), ("far", "->", "/srv/new")])

    upper = [("lib/x", "", ""), ("lib/y", "=>", "lib/x"), ("out/passwd", "", "ours"), ("far/z", "", ""), ("lib/.wh.gone", "", "")]

    root = laid(tmp_path, lower, packed(upper))

    assert tree(root) == {
        "usr",
        "usr/lib",
        "usr/lib/x",
        "usr/lib/y",
        "lib",
        "out",
        "etc",
        "etc/passwd",
        "far",
        "srv",
        "srv/new",
        "srv/new/z",
    }


def test_whiteouts_of_others_apply_and_their_notes_do_not(tmp_path: Path) -> None:
    lower = packed([("a/b", "", ""), ("a/c", "", ""), ("d/e", "", "")])

    root = laid(tmp_path, lower, packed([("a/.wh.b", "", ""), ("a/.wh..wh.plnk", "", ""), ("d/.wh..wh..opq", "", ""), ("d/f", "", "")]))

    assert tree(root) == {"a", "a/c", "d", "d/f"}


def test_devices_of_dev_and_pipes_are_nobodys_loss(tmp_path: Path) -> None:
    entries = [("dev/", "/", ""), ("dev/null", "c", ""), ("dev/sda", "b", ""), ("run/initctl", "|", ""), ("etc/x", "", "")]

    root = laid(tmp_path, packed(entries))

    assert tree(root) == {"dev", "etc", "etc/x"}


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ([("../x", "", "")], "path that it must not"),
        ([("a/../../x", "", "")], "path that it must not"),
        ([("a", "=>", "../../etc/passwd")], "path that it must not"),
        ([("a", "=>", "/etc/passwd")], "hard link to nothing"),
        ([("a", "=>", "a")], "hard link to nothing"),
        ([("d/", "/", ""), ("a", "=>", "d")], "hard link to a folder"),
        ([("etc/null", "c", "")], "a device"),
        ([("etc/disk", "b", "")], "a device"),
        ([("a", "", "1"), ("./a", "", "2")], "twice"),
        ([("a", "", ""), ("a/b", "", "")], "no folder"),
        ([("x", "->", "y"), ("y", "->", "x"), ("x/z", "", "")], "too many links"),
        ([("a/b", "", ""), ("a/.wh.b", "", "")], "removal"),
        ([("x" * 256, "", "")], "path that it must not"),
        ([("a/" * 300 + "b", "", "")], "path that it must not"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_hostile_layer_is_refused_and_reaches_nothing(tmp_path: Path, entries: Written, match: str) -> None:
    with pytest.raises(Denied, match=match):
        laid(tmp_path, packed(entries))

    assert {path.name for path in tmp_path.iterdir()} == {"blobs", "root"}


def test_a_file_with_holes_is_refused() -> None:
    entry = tarfile.TarInfo("a")
    entry.pax_headers = {"GNU.sparse.major": "1"}

    with pytest.raises(Denied, match="holes"):
        list(ForeignArchive(io.BytesIO(entry.tobuf(tarfile.PAX_FORMAT) + bytes(1024)).read).members())


@pytest.mark.parametrize("keep", [100, 512 + 100, 1024])
def test_an_archive_that_ends_too_early_is_broken(keep: int) -> None:
    content = packed([("a", "", "x" * 2000)])

    archive = ForeignArchive(io.BytesIO(content[:keep]).read)

    with pytest.raises(IntegrityFailed, match="too early"):
        _ = [list(archive.content()) for _ in archive.members()]
