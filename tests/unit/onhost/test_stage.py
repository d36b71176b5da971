"""The payload that a host keeps: found only where it is ours alone and whole."""

from __future__ import annotations

import io
import marshal
import os
import zipfile
import zipimport
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vitrify.onhost.stage import KEPT, compiled, helped, keep, kept, private_folder, side_by_side

DIGEST = "d" * 64
NAME = f"{DIGEST}.any"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = private_folder(str(tmp_path / "cache"))
    assert descriptor is not None
    yield descriptor
    os.close(descriptor)


def archive(**modules: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        for name, source in modules.items():
            target.writestr(f"{name}.py", source)
    return packed.getvalue()


def good() -> bytes:
    return compiled(archive(module="ANSWER = 42\n"), DIGEST)


def found(folder: int, digest: str = DIGEST) -> bool:
    descriptor = kept(folder, NAME, digest)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None


def test_what_was_kept_is_found_and_can_be_imported_through_its_descriptor(folder: int) -> None:
    os.close(keep(folder, NAME, good()))
    descriptor = kept(folder, NAME, DIGEST)
    assert descriptor is not None

    spaces: dict[str, object] = {}
    exec(zipimport.zipimporter(f"/proc/self/fd/{descriptor}").get_code("module"), spaces)  # noqa: S102  the test's own module

    os.close(descriptor)
    assert spaces["ANSWER"] == 42


def test_the_same_sources_are_compiled_to_the_same_bytes() -> None:
    assert good() == good()


def test_two_processes_compile_what_one_would() -> None:
    members = {f"module{number}.py": f"ANSWER = {number}\n".encode() for number in range(5)}

    code = side_by_side(members)

    assert sorted(code) == sorted(members)
    for number in range(5):
        spaces: dict[str, object] = {}
        exec(marshal.loads(code[f"module{number}.py"][16:]), spaces)  # noqa: S102, S302  the test's own module
        assert spaces["ANSWER"] == number


@pytest.mark.parametrize("told", [b"", marshal.dumps({"module.py": b"code"})[:-1], marshal.dumps(42)])
def test_of_a_second_process_that_ended_too_soon_nothing_is_taken(told: bytes) -> None:
    assert helped(told) == {}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes().replace(b"module", b"modulo")),
        lambda path: path.write_bytes(b""),
        lambda path: path.chmod(0o640),
        lambda path: path.chmod(0o700),
        lambda path: path.with_name("second").hardlink_to(path),
        lambda path: path.rename(path.with_name("moved")).with_name(NAME).symlink_to("moved"),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.mkdir()),
    ],
)
def test_anything_else_of_that_name_does_not_count(folder: int, tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    os.close(keep(folder, NAME, good()))

    spoil(tmp_path / "cache" / NAME)

    assert not found(folder)


def test_a_payload_under_the_name_of_another_does_not_count(folder: int) -> None:
    os.close(keep(folder, NAME, good()))

    assert not found(folder, digest="e" * 64)


def test_the_youngest_few_are_kept(folder: int, tmp_path: Path) -> None:
    for number in range(KEPT + 3):
        os.close(keep(folder, f"{number}.any", good()))
        os.utime(tmp_path / "cache" / f"{number}.any", (number, number))
    os.close(keep(folder, "last.any", good()))

    left = {path.name for path in (tmp_path / "cache").iterdir()}
    assert len(left) == KEPT
    assert {"last.any", f"{KEPT + 2}.any"} <= left


def test_a_folder_is_closed_to_others_and_a_link_is_none(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "link").symlink_to("open")

    opened = private_folder(str(tmp_path / "open"))
    assert opened is not None
    os.close(opened)
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o700
    assert private_folder(str(tmp_path / "link")) is None
    assert private_folder(str(tmp_path / "missing" / "folder")) is None
