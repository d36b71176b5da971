"""The page of commands holds every verb, every flag with its variable, and every exit code."""

from __future__ import annotations

import re

import click
import pytest
from tools.reference import commands_page

from vitrify.cli.exits import MEANINGS
from vitrify.cli.group import VERBS, vitrify

PAGE = commands_page(vitrify)


def _section(path: str) -> str:
    found = re.search(rf"^## `{re.escape(path)}`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"{path} is not on the page"
    return found[1]


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_is_on_the_page_with_its_flags_and_their_variables(name: str) -> None:
    command = vitrify.get_command(click.Context(vitrify), name)
    assert command is not None
    section = "".join(_section(f"vitrify {name}").split())

    for option in (parameter for parameter in command.params if isinstance(parameter, click.Option)):
        assert option.opts[-1] in section
        assert f"VITRIFY_{(option.name or '').upper()}" in section


def test_every_exit_code_is_on_the_page_with_its_meaning() -> None:
    section = _section("vitrify")

    for code, meaning in MEANINGS.items():
        assert re.search(rf"^  {int(code)} +{re.escape(meaning)}$", section, re.MULTILINE), code
