"""What the summary calls passed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.lanes import Row, in_memory, summary
from tools.results import Results

PASSED = Row("unit", good=True, seconds=1.0, results=Results(tests=5))
SKIPPED = Row("e2e", good=True, seconds=1.0, results=Results(tests=2, skipped=("tests/e2e/x::y: skopeo is missing",)))


def test_a_skip_is_named_and_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert summary([PASSED, SKIPPED], required=False) == 0
    assert "skipped: tests/e2e/x::y: skopeo is missing" in capsys.readouterr().out


def test_a_skip_fails_where_everything_is_required() -> None:
    assert summary([PASSED, SKIPPED], required=True) == 1


def test_one_failed_lane_fails_the_whole() -> None:
    assert summary([PASSED, Row("lint", good=False, seconds=0.1)], required=False) == 1


def test_no_test_at_all_is_no_success() -> None:
    assert summary([Row("unit", good=True, seconds=0.1, results=Results(), remark="no test chosen")], required=False) == 1


def test_tests_write_into_memory_where_there_is_room_for_it(tmp_path: Path) -> None:
    assert in_memory(tmp_path / "absent") is None
    assert in_memory(tmp_path, room=1 << 60) is None
    assert in_memory(Path("/"), room=1) == Path("/")
