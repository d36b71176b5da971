"""A baseline of an older vitrify is read for what it says, one of a newer or a damaged one is refused, and none is half there."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from vitrify.core.diagnostic import IntegrityFailed, TargetFailed, VitrifyError
from vitrify.core.digest import JSON
from vitrify.core.resource import Resource
from vitrify.onhost.records import between, differing, read_records, with_digests
from vitrify.testing.engine import MEMORY, Engine, quick_folder, wish


@pytest.fixture
def engine() -> Iterator[Engine]:
    with quick_folder() as root:
        (root / "srv/inner").mkdir(parents=True)
        (root / "srv/inner/page").write_text("page")
        (root / "srv/link").symlink_to("inner")
        if os.geteuid() == 0:
            os.mknod(root / "srv/null", 0o020600, os.makedev(1, 3))
        yield Engine(root, time=4_000_000_000.0)


SRV: tuple[Resource, ...] = (wish("directory", path="/srv"),)


def differ(engine: Engine) -> list[str]:
    answer = engine.call("audit", resources=[], folders=["/srv"], full=False)
    both = (answer["baseline"], answer["sweep"])
    return sorted({path for each in both if isinstance(each, dict) for path in each})


def as_before(engine: Engine) -> None:
    """Let the baseline be of format 1: one object for each path, and no word of what it did not know."""
    memory = engine.root / MEMORY
    content = (memory / "baseline").read_bytes()
    entries: dict[str, JSON] = {}
    for record in read_records(content, content.index(b"\n") + 1):
        own, inner = record.taken()
        for path, taken in {record.path: own, **{f"{record.path}/{os.fsdecode(name)}": one for name, one in inner.items()}}.items():
            told = {name: value for name, value in taken.print.to_json().items() if name not in ("flags", "device")}
            dev, ino, size, mtime, ctime, nlink, mode, uid, gid = struct.unpack("<QQqqqQIII", taken.seen)
            entries[path] = {"print": told, "seen": [dev, ino, size, mtime, ctime, mode, uid, gid, nlink] if ino else []}
    (memory / "baseline.json").write_text(json.dumps({"format": 1, "folders": ["/srv"], "entries": entries}))
    (memory / "baseline").unlink()


def test_a_baseline_of_format_1_is_read_and_written_anew_by_the_next_run(engine: Engine) -> None:
    engine.apply(*SRV)
    as_before(engine)
    assert differ(engine) == []
    (engine.root / "srv/inner/page").write_text("theirs")
    assert differ(engine) == ["/srv/inner/page"]

    engine.apply(*SRV, engine.file("/motd", "hello\n"), run="r2")

    assert not (engine.root / MEMORY / "baseline.json").exists()
    assert differ(engine) == ["/srv/inner/page"]


def test_what_an_old_baseline_did_not_know_is_no_difference_but_what_it_knew_is(engine: Engine) -> None:
    engine.apply(*SRV)
    os.setxattr(engine.root / "srv/inner/page", "user.mark", b"1")
    as_before(engine)

    assert differ(engine) == ["/srv/inner/page"]


def cut(content: bytes) -> bytes:
    return content[:-1]


def no_top(content: bytes) -> bytes:
    return content[content.index(b"\n") :]


def no_folders(content: bytes) -> bytes:
    return content.replace(b'"folders"', b'"fodlers"')


@pytest.mark.parametrize("damage", [cut, no_top, no_folders, lambda content: content + b"\0" * 10, lambda _: b"", lambda _: b"[]\n"])
def test_a_damaged_baseline_is_said_to_be_damaged(engine: Engine, damage: Callable[[bytes], bytes]) -> None:
    engine.apply(*SRV)
    path = engine.root / MEMORY / "baseline"
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(IntegrityFailed, match="baseline is damaged"):
        differ(engine)


def test_wherever_it_is_cut_and_whatever_bit_is_flipped_it_ends_in_a_baseline_or_in_a_refusal(engine: Engine) -> None:
    engine.apply(*SRV)
    path = engine.root / MEMORY / "baseline"
    whole = path.read_bytes()
    broken = [whole[:length] for length in range(0, len(whole), 7)]
    broken += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 3)]
    for content in broken:
        path.write_bytes(content)
        with suppress(VitrifyError):
            differ(engine)


def test_a_baseline_of_a_newer_vitrify_is_refused(engine: Engine) -> None:
    engine.apply(*SRV)
    path = engine.root / MEMORY / "baseline"
    path.write_bytes(path.read_bytes().replace(b'"format":2', b'"format":3'))

    with pytest.raises(TargetFailed, match="newer vitrify"):
        differ(engine)


def test_two_baselines_are_compared_past_all_that_is_equal(engine: Engine) -> None:
    for number in range(30):
        (engine.root / f"srv/many/folder{number}").mkdir(parents=True)
        (engine.root / f"srv/many/folder{number}/file").write_text("same")
    engine.apply(*SRV)
    content = (engine.root / MEMORY / "baseline").read_bytes()
    first = {record.path: record for record in read_records(content, content.index(b"\n") + 1)}
    (engine.root / "srv/many/folder7/file").write_text("another")
    engine.apply(wish("directory", path="/srv"), wish("directory", path="/srv/many/folder8", absent=False, mode="0700"), run="r2")
    content = (engine.root / MEMORY / "baseline").read_bytes()
    second = {record.path: record for record in read_records(content, content.index(b"\n") + 1)}

    assert set(between(first, second, "/srv")) == set(differing(first, second)) == {"/srv/many/folder8"}
    assert first["/srv/many/folder9"].digest == second["/srv/many/folder9"].digest
    assert first["/srv"].digest != second["/srv"].digest
    assert list(with_digests(first).values()) == list(first.values()), "what has its digest is kept as it is"
