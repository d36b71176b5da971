"""Flags: before the verb or after it, or as variables; and none where it would be ignored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
import pytest

from vitrify.cli.exits import Exit
from vitrify.cli.group import VERBS, vitrify
from vitrify.cli.verb import Verb
from vitrify.core.asked import Scope
from vitrify.core.plan import Plan

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Every verb below a group, with the context of its help."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context, **command.context_settings)
        if isinstance(command, click.Group):
            yield from commands(command, inner)
        else:
            yield command, inner


EVERY = list(commands(vitrify, click.Context(vitrify, info_name="vitrify", **vitrify.context_settings)))


def test_a_flag_means_the_same_before_and_after_the_verb(console: Console) -> None:
    before = console("-o", "json", "-C", "shop", "-l", "web", "status")
    after = console("status", "-o", "json", "-C", "shop", "-l", "web")

    assert before == after
    assert console.app.scopes == [Scope("shop", ("web",), (), {})] * 2


def test_what_may_be_repeated_adds_up_over_both_places(console: Console) -> None:
    console("-l", "web", "--var", "a=1", "--var", "b=2", "status", "-l", "db", "--var", "b=3")

    assert console.app.scopes == [Scope(".", ("web", "db"), (), {"a": "1", "b": "3"})]


def test_the_place_nearest_to_the_verb_wins(console: Console) -> None:
    assert console("-o", "yaml", "version", "-o", "json").out.startswith("{")


def test_a_flag_that_the_verb_would_ignore_is_refused(console: Console) -> None:
    ended = console("-l", "web", "doctor")

    assert ended.code is Exit.USAGE
    assert "'vitrify doctor' does not take --limit" in ended.err
    assert not console.app.asked


def test_every_flag_has_a_variable(console: Console) -> None:
    console("status", environ={"VITRIFY_LIMIT": "web db", "VITRIFY_EXCLUDE": "old", "VITRIFY_VAR": "a=1 b=2", "VITRIFY_PROJECT": "shop"})

    assert console.app.scopes == [Scope("shop", ("web", "db"), ("old",), {"a": "1", "b": "2"})]


def test_an_environment_and_tags_reach_the_application(console: Console) -> None:
    console("plan", "-e", "prod", "-t", "motd", "--tag", "base")
    console("-e", "prod", "plan", environ={"VITRIFY_TAG": "motd base"})

    assert console.app.scopes == [Scope(environment="prod", tags=("motd", "base"))] * 2


@pytest.mark.parametrize("flag", ["-l", "--exclude", "-t", "-e"])
def test_a_saved_plan_takes_no_other_selection(console: Console, flag: str) -> None:
    ended = console("apply", "-y", "plan.json", flag, "x")

    assert ended.code is Exit.USAGE
    assert "a saved plan is applied as it is" in ended.err
    assert not console.app.asked


def test_tags_are_for_plans_and_applies_alone(console: Console) -> None:
    assert console("audit", "-t", "motd").code is Exit.USAGE


def test_a_flag_wins_over_its_variable(console: Console) -> None:
    ended = console("version", "-o", "json", environ={"VITRIFY_OUTPUT": "yaml"})

    assert ended.out.startswith("{")


@pytest.mark.parametrize(("command", "context"), EVERY, ids=[context.command_path for _, context in EVERY])
def test_the_help_of_every_verb_tells_all_that_is_needed(command: click.Command, context: click.Context) -> None:
    text = command.get_help(context)

    assert isinstance(command, Verb)
    assert command.help
    assert "\n\n" not in command.help.strip(), "the promise is one paragraph"
    assert "Examples:" in text
    assert "Exit codes:" in text
    assert all(example in text for example in command.examples)
    assert "-h, --help" in text
    told = "".join(text.split())
    for option in (parameter for parameter in command.params if isinstance(parameter, click.Option)):
        assert f"VITRIFY_{(option.name or '').upper()}" in told, option.name


def test_the_table_of_verbs_leads_to_verbs_of_these_names() -> None:
    context = click.Context(vitrify, info_name="vitrify")

    assert [command.name for name in VERBS if (command := vitrify.get_command(context, name))] == list(VERBS)


@pytest.mark.parametrize("given", ["a", "=1", ""])
def test_a_variable_needs_a_name_and_a_value(console: Console, given: str) -> None:
    assert console("plan", "--var", given).code is Exit.USAGE


def test_a_plan_is_saved_to_a_file_that_is_not_a_format(console: Console, mixed_plan: Plan) -> None:
    console.app.plan_is = mixed_plan

    ended = console("plan", "-o", "plan.json")

    assert console.app.calls[-1] == ("save", {"path": "plan.json"})
    assert ended.out.startswith("db on root:/srv/db")
    assert "`vitrify apply plan.json`" in ended.err


def test_a_plan_is_printed_as_json_and_saved_at_once(console: Console) -> None:
    ended = console("plan", "-o", "json", "--out", "json")

    assert console.app.calls[-1] == ("save", {"path": "json"})
    assert ended.out.startswith("{")


@pytest.mark.parametrize("mistyped", ["jsno", "jsonl", "yml", "tables"])
def test_a_mistyped_format_is_not_a_file(console: Console, mistyped: str) -> None:
    ended = console("plan", "-o", mistyped)

    assert ended.code is Exit.USAGE
    assert f"--out {mistyped}" in ended.err
    assert not console.app.asked


def test_a_file_is_not_a_format_elsewhere(console: Console) -> None:
    assert console("status", "-o", "status.json").code is Exit.USAGE


def test_without_a_verb_the_help_is_shown(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    assert console().code is Exit.USAGE
    assert "Verbs:" in capsys.readouterr().err
