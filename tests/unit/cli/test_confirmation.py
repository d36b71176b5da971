"""Nothing is changed without a yes, and nobody is asked where nothing would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vitrify.cli.exits import Exit
from vitrify.core.plan import Plan
from vitrify.core.report import ServerStatus

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console

CHANGING = {
    "apply": ("apply",),
    "undo": ("undo", "db"),
    "rollback": ("rollback", "web"),
    "promote": ("promote", "web"),
    "abort": ("abort", "web"),
    "contract": ("contract", "web"),
    "retire": ("retire", "web"),
}


@pytest.fixture
def ready(console: Console, mixed_plan: Plan, servers: tuple[ServerStatus, ...]) -> Console:
    console.app.plan_is, console.app.status_is = mixed_plan, servers
    return console


@pytest.mark.parametrize("verb", CHANGING)
def test_a_yes_on_the_terminal_is_enough(ready: Console, verb: str) -> None:
    ended = ready(*CHANGING[verb], tty=True, answer="y\n")

    assert ended.code is Exit.DONE
    assert ready.app.asked[-1] == verb
    assert ready.app.closed
    assert ended.err.count("[y/N]") == 1


@pytest.mark.parametrize("answer", ["\n", "n\n", "", "yesterday\n"])
@pytest.mark.parametrize("verb", CHANGING)
def test_anything_but_a_yes_changes_nothing(ready: Console, verb: str, answer: str) -> None:
    ended = ready(*CHANGING[verb], tty=True, answer=answer)

    assert ended.code is Exit.USAGE
    assert verb not in ready.app.asked
    assert ready.app.closed
    assert "nothing was changed" in ended.err


@pytest.mark.parametrize("verb", CHANGING)
def test_without_a_terminal_the_flag_to_add_is_named(ready: Console, verb: str) -> None:
    ended = ready(*CHANGING[verb], answer="y\n")

    assert ended.code is Exit.USAGE
    assert verb not in ready.app.asked
    assert f"add -y, as in `vitrify {verb} -y`, or set VITRIFY_YES=1" in ended.err


@pytest.mark.parametrize("verb", CHANGING)
def test_the_flag_answers_in_advance(ready: Console, verb: str) -> None:
    ended = ready(*CHANGING[verb], "-y")

    assert ended.code is Exit.DONE
    assert ready.app.asked[-1] == verb
    assert "[y/N]" not in ended.err


def test_the_variable_answers_in_advance(ready: Console) -> None:
    assert ready("apply", environ={"VITRIFY_YES": "1"}).code is Exit.DONE
    assert ready.app.asked == ["plan", "approved", "apply"]


def test_continuous_integration_is_never_asked(ready: Console) -> None:
    ended = ready("apply", tty=True, answer="y\n", environ={"CI": "true"})

    assert ended.code is Exit.USAGE
    assert "apply" not in ready.app.asked


def test_the_plan_is_seen_before_the_question(ready: Console) -> None:
    ended = ready("apply", "--color", "never", tty=True, answer="n\n")

    assert "Plan: 2 to add" in ended.out
    assert "Apply these changes? [y/N]" in ended.err


def test_the_plan_is_seen_before_the_question_where_stdout_is_for_json(ready: Console) -> None:
    ended = ready("apply", "-o", "json", "--color", "never", tty=True, answer="n\n")

    assert not ended.out
    assert "Plan: " in ended.err


def test_nothing_to_do_asks_nothing_but_still_takes_over_what_is_as_declared(console: Console, empty_plan: Plan) -> None:
    console.app.plan_is = empty_plan

    ended = console("apply")

    assert ended.code is Exit.DONE
    assert "[y/N]" not in ended.err
    assert console.app.asked == ["plan", "approved", "apply"]


def test_a_saved_plan_is_asked_about_too(ready: Console) -> None:
    ended = ready("apply", "plan.json", tty=True, answer="y\n")

    assert ended.code is Exit.DONE
    assert ready.app.asked == ["saved", "approved", "apply"]


def test_a_saved_plan_is_not_narrowed(ready: Console) -> None:
    ended = ready("apply", "plan.json", "-y", "-l", "web")

    assert ended.code is Exit.USAGE
    assert not ready.app.asked


def test_there_is_nothing_to_undo_where_nothing_was_applied(ready: Console) -> None:
    ended = ready("undo", "new")

    assert ended.code is Exit.DONE
    assert ended.out == "Nothing to undo: new was never applied.\n"
    assert ready.app.asked == ["status"]


def test_an_immutable_server_is_sent_to_rollback(ready: Console) -> None:
    ended = ready("undo", "web", "-y")

    assert ended.code is Exit.USAGE
    assert "`vitrify rollback web`" in ended.err


def test_a_rollback_goes_to_the_release_that_was_shown(ready: Console) -> None:
    ended = ready("rollback", "web", "-y")

    assert "release 3 goes live in place of release 4" in ended.err
    assert ready.app.calls[-1] == ("rollback", {"server": "web", "to": 3})
