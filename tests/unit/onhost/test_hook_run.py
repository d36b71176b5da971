"""A hook is a program: its words are never a shell's, it sees what it was given, and it ends when its time is over."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.event import Event
from vitrify.core.step import carry_on
from vitrify.onhost.context import Context
from vitrify.onhost.hooks import LAST_LINES, LONGEST_LINE, run
from vitrify.resources.registry import all_kinds


def ran(*argv: str, **more: JSON) -> tuple[JSON, list[str], list[Event]]:
    """The exit code, the last lines, and what was told."""
    told: list[Event] = []
    context = Context(emit=told.append, blob=lambda _: b"", reached=carry_on, kinds=all_kinds(), clock=time.time)
    answer = run(context, {"argv": list(argv), "timeout_ms": 10_000, "label": "web before switch", **more})
    said = answer["said"]
    assert isinstance(said, list)
    return answer["code"], [str(line) for line in said], told


def test_it_reads_its_context_and_each_line_is_told_as_it_comes() -> None:
    code, said, told = ran("cat", stdin='{"phase": "switch"}\nand more')

    assert (code, said) == (0, ['{"phase": "switch"}', "and more"])
    assert [(event.what, event.subject, event.detail) for event in told] == [("hook", "web before switch", line) for line in said]


def test_it_has_the_variables_that_it_was_given_and_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "secret")
    _, said, _ = ran("env", environment={"GIVEN": "yes"})

    assert {line.partition("=")[0] for line in said} == {"PATH", "LC_ALL", "HOME", "GIVEN"}


def test_what_is_secret_is_not_told() -> None:
    code, said, told = ran("env", environment={"TOKEN": "t0psecret"}, secrets=["TOKEN"])

    assert code == 0
    assert "TOKEN=(secret)" in said
    assert not [event for event in told if "t0psecret" in event.detail]


def test_it_runs_in_its_folder_and_a_path_is_looked_for_from_there(tmp_path: Path) -> None:
    (tmp_path / "tell").symlink_to("/bin/pwd")
    assert ran("./tell", folder=str(tmp_path))[:2] == (0, [str(tmp_path)])
    with pytest.raises(TargetFailed, match="there is no program 'unheard-of'"):
        ran("unheard-of")
    with pytest.raises(TargetFailed, match="cannot be started"):
        ran("pwd", folder=str(tmp_path / "nowhere"))


def test_how_it_ended_is_told_with_its_last_lines_and_no_more() -> None:
    assert ran("false")[:2] == (1, [])
    code, said, told = ran("seq", "100")
    assert (code, said, len(told)) == (0, [str(number) for number in range(101 - LAST_LINES, 101)], 100)


def test_a_line_without_an_end_is_told_in_parts() -> None:
    _, said, _ = ran("printf", f"%0{2 * LONGEST_LINE + 1}d", "7")
    assert [len(line) for line in said] == [LONGEST_LINE, LONGEST_LINE, 1]


def test_what_takes_too_long_is_ended_with_all_that_it_started() -> None:
    began = time.monotonic()
    assert ran("timeout", "30", "sleep", "30", timeout_ms=200)[0] is None
    assert time.monotonic() - began < 5


def test_what_it_leaves_behind_is_not_waited_for() -> None:
    began = time.monotonic()
    assert ran("sh", "-c", "sleep 2 & echo started")[:2] == (0, ["started"])
    assert time.monotonic() - began < 1.5


def test_nobody_can_be_inside_an_instance_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(TargetFailed, match="there is no instance web-1"):
        ran("true", home=str(tmp_path), id="web-1")
