from __future__ import annotations

import io
import tarfile

import pytest

from vitrify.builders import tar


def read(header: bytes, content: bytes = b"") -> tarfile.TarInfo:
    with tarfile.open(fileobj=io.BytesIO(header + content + tar.padding(len(content)) + tar.END)) as archive:
        return archive.getmembers()[0]


def test_a_plain_entry_needs_one_block() -> None:
    header = tar.header(tar.Entry(b"etc/motd", tar.FILE, 0o644, 0, 0, 5))

    assert len(header) == tar.BLOCK
    assert header[:8] == b"etc/motd"
    assert header[100:156] == b"0000644\x000000000\x000000000\x0000000000005\x0000000000000\x00010641\x00 "
    assert header[156:265] == b"0" + bytes(100) + b"ustar\x0000"
    assert not header[265:329].strip(b"\0")


@pytest.mark.parametrize("name", [b"a" * 101, "Főtanúsítvány.crt".encode(), b"d/" * 60 + b"f", b"n" * 100])
def test_every_name_is_read_back_as_it_was(name: bytes) -> None:
    assert read(tar.header(tar.Entry(name, tar.FILE, 0o644))).name == name.decode()


@pytest.mark.parametrize("length", range(80, 130))
def test_a_record_counts_its_own_digits(length: int) -> None:
    assert read(tar.header(tar.Entry(b"x", tar.LINK, 0o777, link=b"t" * length))).linkname == "t" * length


def test_a_folder_has_a_slash_at_its_end_that_counts_towards_the_room() -> None:
    assert len(tar.header(tar.Entry(b"d" * 99, tar.DIRECTORY, 0o755))) == tar.BLOCK
    assert len(tar.header(tar.Entry(b"d" * 100, tar.DIRECTORY, 0o755))) == 3 * tar.BLOCK


def test_large_numbers_move_to_a_record_and_leave_a_zero() -> None:
    header = tar.header(tar.Entry(b"x", tar.DIRECTORY, 0o755, uid=2**31, gid=8**7))

    found = read(header)

    assert (found.uid, found.gid) == (2**31, 8**7)
    assert header[2 * tar.BLOCK :][108:124] == b"0000000\x000000000\x00"


def test_a_size_beyond_eight_gigabytes_is_a_record() -> None:
    assert b"19 size=8589934592\n" in tar.header(tar.Entry(b"x", tar.FILE, 0o644, size=8**11))
    assert b"size=" not in tar.header(tar.Entry(b"x", tar.FILE, 0o644, size=8**11 - 1))
