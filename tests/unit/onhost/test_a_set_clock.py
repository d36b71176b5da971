"""Somebody sets the target's clock between two runs: what came first is a number, never a time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vitrify.testing.engine import Engine, objects, outcomes, quick_folder

YEAR = 365 * 86_400.0


@pytest.fixture
def engine() -> Iterator[Engine]:
    with quick_folder() as root:
        (root / "etc").mkdir()
        (root / "etc/motd").write_text("before\n")
        yield Engine(root)


def converge(engine: Engine, *runs: str, jump: float) -> None:
    """A run each, and the clock is set after it."""
    for run in runs:
        engine.apply(engine.file("/etc/motd", f"{run}\n"), run=run)
        engine.time += jump


@pytest.mark.parametrize("jump", [YEAR, -YEAR], ids=["forwards", "backwards"])
def test_an_undo_takes_back_the_last_run_and_then_the_one_before(engine: Engine, jump: float) -> None:
    converge(engine, "one", "two", "three", jump=jump)

    assert [run for run, _ in engine.states()] == ["three", "two", "one"]
    for expected in ("two\n", "one\n", "before\n"):
        assert outcomes(engine.call("undo", run="", force=False, by="ada")) == ["done"]
        assert (engine.root / "etc/motd").read_text() == expected


@pytest.mark.parametrize("jump", [YEAR, -YEAR], ids=["forwards", "backwards"])
def test_what_is_kept_are_the_last_runs_and_not_those_with_the_latest_time(engine: Engine, jump: float) -> None:
    converge(engine, "one", "two", jump=jump)

    planned = engine.plan(engine.file("/etc/motd", "three\n"), run="three")
    engine.call("enact", keep={"runs": 2}, **planned)

    assert [run for run, _ in engine.states()] == ["three", "two"]


def test_a_change_made_while_the_clock_stood_in_the_past_is_found(engine: Engine) -> None:
    motd = engine.file("/etc/motd", "one\n")
    converge(engine, "one", jump=-YEAR)
    (engine.root / "etc/motd").write_text("odd\n")  # as long as what was there

    found = objects(engine.call("observe", resources=[motd.to_json()]), "observations")

    assert found[0]["properties"] != engine.kinds["file"].desired(motd)
    engine.apply(motd, run="two")
    assert (engine.root / "etc/motd").read_text() == "one\n"
