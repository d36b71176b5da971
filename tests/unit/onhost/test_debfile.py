"""What a package file says of itself."""

from __future__ import annotations

import io
import tarfile

import pytest

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.onhost.debfile import control, entry

TOLD = "Package: foo\nVersion: 1:1.0\nArchitecture: all\nDescription: short\n long\n"


def ar(**members: bytes) -> bytes:
    parts = [b"!<arch>\n"]
    for name, content in members.items():
        parts += [
            f"{name.replace('_', '.'):<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode(),
            content,
            b"\n" * (len(content) % 2),
        ]
    return b"".join(parts)


def tar(mode: str, name: str = "./control") -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode=mode) as archive:  # type: ignore[call-overload]  # a mode out of a list
        info = tarfile.TarInfo(name)
        info.size = len(TOLD)
        archive.addfile(info, io.BytesIO(TOLD.encode()))
    return into.getvalue()


@pytest.mark.parametrize("packed", ["xz", "gz", ""])
def test_the_control_file_is_read_however_it_is_packed(packed: str) -> None:
    deb = ar(debian_binary=b"2.0\n", control_tar=tar(f"w:{packed}"), data_tar=b"never read")
    assert control(io.BytesIO(deb), name="foo.deb") == TOLD


def test_a_packing_that_this_python_cannot_read_is_left_to_others() -> None:
    assert control(io.BytesIO(ar(debian_binary=b"2.0\n", control_tar_zst=b"\x28\xb5\x2f\xfd....")), name="foo.deb") == ""


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", ar(debian_binary=b"2.0\n"), ar(control_tar=b"no tar"), ar(control_tar=tar("w:", "./other")), ar(data_tar=b"x")],
)
def test_what_is_no_package_file_is_refused(content: bytes) -> None:
    with pytest.raises(IntegrityFailed, match=r"foo\.deb is no package file"):
        control(io.BytesIO(content), name="foo.deb")


def test_an_index_names_file_size_and_digest() -> None:
    assert entry(TOLD, file="foo_1%3a1.0_all.deb", size=7, sha256="ab") == f"{TOLD}Filename: ./foo_1%3a1.0_all.deb\nSize: 7\nSHA256: ab\n"
