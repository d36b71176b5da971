"""Archives that mean no good, and those that are broken."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from vitrify.core.archived import LARGEST, Broken, checked, members, told
from vitrify.core.diagnostic import Denied


def tar(*entries: tuple[str, bytes, str | bytes], mode: int = 0o644) -> bytes:
    """Entries: name, tar's type, and a file's content or where a link leads."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, sort, more in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = sort, mode
            if isinstance(more, bytes):
                entry.size = len(more)
                archive.addfile(entry, io.BytesIO(more))
            else:
                entry.linkname = more
                archive.addfile(entry)
    return packed.getvalue()


def zipped(*entries: tuple[str, bytes, int]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in entries:
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, mode << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED if len(content) > 100 else zipfile.ZIP_STORED)
    return packed.getvalue()


def names(content: bytes, *, strip: int = 0, largest: int = LARGEST) -> list[str]:
    return list(checked(io.BytesIO(content), strip=strip, largest=largest))


def shortly(value: object) -> str:
    """What a case is called: an archive holds the time, and its bytes are no name."""
    return value if isinstance(value, str) else type(value).__name__


FILE, LINK, HARD, FOLDER, DEVICE, PIPE = (
    tarfile.REGTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.DIRTYPE,
    tarfile.CHRTYPE,
    tarfile.FIFOTYPE,
)
GOOD = tar(("./", FOLDER, ""), ("./a/b", FILE, b"text"), ("a/link", LINK, "../c"), ("c", FILE, b""), ("d", HARD, "a/b"))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["tar", "gzip", "bzip2", "xz"])
def test_all_that_an_archive_holds_is_told_with_the_folders_above(pack: Callable[[bytes], bytes]) -> None:
    found = checked(io.BytesIO(pack(GOOD)), strip=0, largest=LARGEST)

    told = {name: (member.type, member.mode, member.link, member.same_as) for name, member in found.items() if name}
    assert told == {
        "a": ("directory", "0755", "", ()),
        "a/b": ("file", "0644", "", ()),
        "a/link": ("link", "0777", "../c", ()),
        "c": ("file", "0644", "", ()),
        "d": ("file", "0644", "", ("a", "b")),
    }


def test_contents_are_read_in_order() -> None:
    found = {member.name: opened().read() for member, opened in members(io.BytesIO(GOOD), strip=0, largest=LARGEST) if opened}
    assert found == {"a/b": b"text", "c": b""}


def test_a_zip_is_read_with_its_modes_and_links() -> None:
    content = zipped(("top/run", b"#!", stat.S_IFREG | 0o4777), ("top/link", b"run", stat.S_IFLNK | 0o777), ("top/none", b"", 0))
    found = checked(io.BytesIO(content), strip=1, largest=LARGEST)

    assert {name: (member.type, member.mode, member.link) for name, member in found.items()} == {
        "link": ("link", "0777", "run"),
        "none": ("file", "0600", ""),
        "run": ("file", "0755", ""),
    }


def test_folders_at_the_beginning_are_left_out() -> None:
    content = tar(("top", FOLDER, ""), ("top/a/b", FILE, b"x"), ("top/h", HARD, "top/a/b"))

    assert names(content, strip=1) == ["a", "a/b", "h"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (tar(("/etc/passwd", FILE, b"")), "its path leads out"),
        (tar(("../x", FILE, b"")), "its path leads out"),
        (tar(("a/../../x", FILE, b"")), "its path leads out"),
        (tar(("a\\b", FILE, b"")), "its path leads out"),
        (tar(("a//b", FILE, b"")), "its path leads out"),
        (tar(("a\nb", FILE, b"")), "characters that cannot be shown"),
        (tar(("/".join("a" * 101), FILE, b"")), "too deep"),
        (tar(("a", LINK, "/etc")), "a link to '/etc'"),
        (tar(("a", LINK, "..")), "a link that leads out"),
        (tar(("a/b", LINK, "../../x")), "a link that leads out"),
        (tar(("d", LINK, "."), ("a", LINK, "d/../x")), "a link that leads out"),
        (tar(("a", LINK, "b"), ("a/x", FILE, b"")), "behind the link a"),
        (tar(("a", FILE, b""), ("a/x", FILE, b"")), "behind the file a"),
        (tar(("a/x", FILE, b""), ("a", LINK, "b")), "behind the link a"),
        (tar(("a", FILE, b"1"), ("a", FILE, b"2")), "twice"),
        (tar(("a", FILE, b"1"), ("./a", LINK, "b")), "twice"),
        (tar(("a", HARD, "/etc/shadow")), "its path leads out"),
        (tar(("a", HARD, "b")), "a hard link to something that does not come before it"),
        (tar(("dev", DEVICE, "")), "neither a file nor a folder nor a link"),
        (tar(("pipe", PIPE, "")), "neither a file nor a folder nor a link"),
        (zipped(("../x", b"", 0)), "its path leads out"),
        (zipped(("/x", b"", 0)), "its path leads out"),
        (zipped(("a", b"../../x", stat.S_IFLNK)), "a link that leads out"),
        (zipped(("a", b"", stat.S_IFIFO)), "neither a file nor a folder nor a link"),
    ],
    ids=shortly,
)
def test_an_archive_that_means_no_good_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(Denied, match=why):
        names(content)


@pytest.mark.parametrize("content", [gzip.compress(tar(("a", FILE, bytes(5_000_000)))), zipped(("a", bytes(5_000_000), 0))], ids=shortly)
def test_what_unpacks_to_more_than_was_allowed_is_refused(content: bytes) -> None:
    assert len(content) < 10_000
    with pytest.raises(Denied, match="unpacks to more than 4000000 bytes"):
        names(content, largest=4_000_000)


def test_endless_padding_behind_a_small_archive_is_refused() -> None:
    with pytest.raises(Denied, match="unpacks to more than"):
        names(gzip.compress(tar(("a", FILE, b"x"))) + gzip.compress(bytes(4_000_000)) * 100, largest=1)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(GOOD)[:-20],
        gzip.compress(GOOD)[:60],
        bytes([*gzip.compress(GOOD)[:-6], 0, 0, 0, 0, 0, 0]),
        lzma.compress(GOOD)[:-30],
        bz2.compress(GOOD)[:-10],
        GOOD[:700],
        b"PK\x03\x04nonsense",
        zipped(("a", b"text" * 100, 0))[:-30],
        b"no archive at all, but a text of some length" * 20,
    ],
    ids=shortly,
)
def test_what_is_broken_is_told(content: bytes) -> None:
    with pytest.raises(Broken, match="the archive cannot be read"):
        names(content)


def test_the_content_of_a_zip_is_checked() -> None:
    content = zipped(("a", b"text", 0)).replace(b"text", b"tent")

    with pytest.raises(Broken, match="Bad CRC-32"), told():
        [opened().read() for _, opened in members(io.BytesIO(content), strip=0, largest=LARGEST) if opened]
