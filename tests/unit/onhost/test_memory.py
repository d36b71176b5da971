"""A memory is for its owner alone, held by one, replaced whole, and never written to by a guess."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vitrify.core.diagnostic import Busy, IntegrityFailed, TargetFailed
from vitrify.onhost.memory import Holder, Memory

ADA, BOB = Holder("ada", "r1"), Holder("bob", "r2")


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    found = Memory(str(tmp_path / "var/lib/vitrify"), within=str(tmp_path))
    found.prepare()
    return found


def test_everything_in_it_is_closed_to_others(memory: Memory) -> None:
    memory.write("table.json", {})
    with memory.held(ADA, lambda: 0.0):
        pass

    folder = Path(memory.folder)
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.rglob("*"))} == {0}


def test_a_folder_that_was_left_open_is_closed(memory: Memory) -> None:
    Path(memory.folder).chmod(0o755)

    memory.prepare()

    assert Path(memory.folder).stat().st_mode & 0o777 == 0o700


def test_what_was_written_is_read(memory: Memory) -> None:
    memory.write("table.json", {"rows": [1, "\udcff"]})

    assert memory.read("table.json") == {"format": 1, "rows": [1, "\udcff"]}
    assert memory.read("other.json") is None


def test_nothing_is_left_beside_a_file(memory: Memory) -> None:
    memory.write("table.json", {})

    assert sorted(path.name for path in Path(memory.folder).iterdir()) == ["before", "runs", "table.json"]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"format": "one"}'])
def test_a_damaged_file_is_told(content: str, memory: Memory) -> None:
    Path(memory.path("table.json")).write_text(content)

    with pytest.raises(IntegrityFailed, match="table.json is damaged"):  # noqa: RUF043  the dot is one
        memory.read("table.json")


def test_a_newer_format_is_refused(memory: Memory) -> None:
    Path(memory.path("table.json")).write_text(json.dumps({"format": 2}))

    with pytest.raises(TargetFailed, match="newer vitrify"):
        memory.read("table.json")


def test_who_comes_second_is_told_who_holds_it_and_since_when(memory: Memory) -> None:
    import os

    with memory.held(ADA, lambda: 0.0), pytest.raises(Busy) as refused, memory.held(BOB, lambda: 1.0, patience=0):
        pass

    assert f"process {os.getpid()}, started by ada, since 1970-01-01 00:00:00 UTC" in str(refused.value)


def test_what_was_given_back_can_be_held_again(memory: Memory) -> None:
    for holder in (ADA, BOB):
        with memory.held(holder, lambda: 0.0, patience=0):
            pass
