"""Crash points cost nothing in production, and are counted in tests."""

from __future__ import annotations

from pathlib import Path

from vitrify.core.step import carry_on
from vitrify.onhost.failpoint import from_environment


def test_without_being_asked_nothing_happens() -> None:
    assert from_environment({}) is carry_on


def test_each_point_is_logged(tmp_path: Path) -> None:
    reached = from_environment({"VITRIFY_FAILPOINT_LOG": str(tmp_path / "log")})

    reached("enact.intent")
    reached("enact.act")

    assert (tmp_path / "log").read_text() == "enact.intent\nenact.act\n"


def test_another_point_is_passed(tmp_path: Path) -> None:
    reached = from_environment({"VITRIFY_FAILPOINT": "enact.act#3", "VITRIFY_FAILPOINT_LOG": str(tmp_path / "log")})

    for point in ("enact.intent", "enact.act", "enact.act", "enact.outcome"):
        reached(point)

    assert len((tmp_path / "log").read_text().splitlines()) == 4
