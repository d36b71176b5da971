from __future__ import annotations

import io

import pytest

from vitrify.builders import tar
from vitrify.core.diagnostic import Denied, IntegrityFailed
from vitrify.onhost.untar import Archive, Member


def read(content: bytes) -> list[tuple[Member, bytes]]:
    archive = Archive(io.BytesIO(content).read)
    return [(member, b"".join(archive.content())) for member in archive.members()]


def one(name: bytes, *, kind: bytes = tar.FILE, content: bytes = b"", link: bytes = b"") -> bytes:
    header = tar.header(tar.Entry(name, kind, 0o644, size=len(content), link=link))
    return header + content + tar.padding(len(content))


def patched(block: bytes, at: int, new: bytes) -> bytes:
    """A header with some bytes replaced and the checksum put right."""
    changed = block[:at] + new + block[at + len(new) :]
    total = sum(changed[:148]) + 256 + sum(changed[156:512])
    return changed[:148] + b"%06o\0 " % total + changed[156:]


def test_what_the_writer_wrote_is_read_back() -> None:
    name = "é" * 80
    content = one(name.encode(), content=b"x" * 700) + one(b"to", kind=tar.LINK, link=b"/elsewhere") + tar.END

    (file, data), (link, _) = read(content)

    assert (file.path, file.size, data) == (name, 700, b"x" * 700)
    assert (link.link, link.type) == ("/elsewhere", tar.LINK)


def test_content_that_nobody_reads_is_skipped() -> None:
    archive = Archive(io.BytesIO(one(b"a", content=b"x" * 600) + one(b"b") + tar.END).read)

    assert [member.path for member in archive.members()] == ["a", "b"]


HOSTILE = {
    "an absolute path": one(b"/etc/passwd"),
    "a way up": one(b"../outside"),
    "a way up in the middle": one(b"etc/../../outside"),
    "a way up in an extended header": one(b"../" + b"a" * 120),
    "a dot": one(b"./etc"),
    "the root itself": one(b".", kind=tar.DIRECTORY),
    "an empty name": one(b""),
    "an empty part": one(b"etc//passwd"),
    "a part too long": one(b"a" * 256),
    "a nest too deep": one(b"d/" * 300 + b"f"),
    "a path too long": one(b"/".join([b"d" * 200] * 30)),
    "a name that is not UTF-8": one(b"caf\xe9"),
    "a NUL in a name": one(b"a" * 120 + b"\0b"),
    "a hard link": patched(one(b"x"), 156, b"1"),
    "a device": patched(one(b"x"), 156, b"3"),
    "a pipe": patched(one(b"x"), 156, b"6"),
    "a sparse file": patched(one(b"x"), 156, b"S"),
    "a header for all entries": patched(one(b"x"), 156, b"g"),
    "a long name in the GNU way": patched(one(b"././@LongLink"), 156, b"L"),
    "a prefix": patched(one(b"x"), 345, b"etc"),
    "a folder with content": patched(one(b"x", kind=tar.DIRECTORY), 124, b"00000000001"),
    "a link to nowhere": one(b"x", kind=tar.LINK),
    "a file with a target": patched(one(b"x"), 157, b"y"),
}
BROKEN = {
    "nothing": b"",
    "a wrong checksum": one(b"a").replace(b"a", b"b", 1) + tar.END,
    "an end too early": one(b"a", content=b"xyz")[:600],
    "no end": one(b"a"),
    "half an end": one(b"a") + bytes(512),
    "more behind the end": tar.END + b"x",
    "a negative size": patched(one(b"x"), 124, b"\xff" * 12) + tar.END,
    "letters for a number": patched(one(b"x"), 124, b"0000000000a") + tar.END,
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_what_an_honest_layer_never_holds_is_refused(content: bytes) -> None:
    with pytest.raises(Denied):
        read(content + tar.END)


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_archive_is_refused(content: bytes) -> None:
    with pytest.raises(IntegrityFailed):
        read(content)


def extended(body: bytes, *, size: bytes = b"") -> bytes:
    header = patched(patched(one(b"@PaxHeader"), 156, b"x"), 124, size or b"%011o" % len(body))
    return header + body + tar.padding(len(body)) + one(b"x") + tar.END


@pytest.mark.parametrize(
    "content",
    [
        extended(b"", size=b"77777777777"),
        extended(b"18 mtime=1700000000"),
        extended(b"9 path=a"),
        extended(b"99 path=a\n"),
        extended(b"0 path=a\n"),
        extended(b"11 uid=-1234\n"),
        extended(b"31 size=9999999999999999999999\n"),
        extended(b"18 uid=9999999999\n"),
        extended(b"19 path=../outside\n"),
    ],
)
def test_an_extended_header_that_is_not_of_our_format_is_refused(content: bytes) -> None:
    with pytest.raises(Denied):
        read(content)
