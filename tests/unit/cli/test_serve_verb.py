"""`vitrify serve` as a person meets it: what its flags ask for, how one turn ends, and that a second process is told of the first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from vitrify.cli.exits import Exit
from vitrify.core.diagnostic import Busy
from vitrify.core.served import BUSY, DONE, FAILED, UNREACHABLE, Served, Turn

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console


def test_it_serves_where_it_is_told_to(console: Console) -> None:
    ended = console("serve", "--listen", "127.0.0.1:9464")

    assert ended.code is Exit.DONE
    assert console.app.calls == [("serve", {"listen": "127.0.0.1:9464", "once": False})]


def test_a_variable_says_the_same_as_a_flag(console: Console) -> None:
    console("serve", environ={"VITRIFY_LISTEN": "unix:/run/x.sock", "VITRIFY_ONCE": "1"})

    assert console.app.calls == [("serve", {"listen": "unix:/run/x.sock", "once": True})]


def test_one_turn_of_each_duty_is_a_row_and_a_document(console: Console) -> None:
    console.app.served_is = Served((Turn("keep", "web", DONE, "edge is back", "local"), Turn("retention", "", BUSY, "ann")))

    table, document = console("serve", "--once"), json.loads(console("serve", "--once", "-o", "json").out)

    assert "all servers" in table.out
    assert document["schema"] == "vitrify.dev/served/v1"
    assert document["turns"][0] == {"duty": "keep", "server": "web", "host": "local", "outcome": "done", "told": "edge is back"}


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((DONE, DONE), Exit.DONE),
        ((DONE, BUSY), Exit.BUSY),
        ((BUSY, UNREACHABLE), Exit.UNREACHABLE),
        ((UNREACHABLE, FAILED), Exit.HOSTS_FAILED),
    ],
)
def test_what_failed_counts_before_what_could_not_be_reached(console: Console, outcomes: tuple[str, ...], code: Exit) -> None:
    console.app.served_is = Served(tuple(Turn("keep", "web", outcome) for outcome in outcomes))

    assert console("serve", "--once").code is code


def test_a_second_process_is_told_of_the_first(console: Console) -> None:
    console.app.fails_in["serve"] = Busy("another `vitrify serve` looks after this project", why="process 4711")

    ended = console("serve")

    assert ended.code is Exit.BUSY
    assert "process 4711" in ended.err


def test_a_unit_is_installed_and_taken_away(console: Console) -> None:
    assert "vitrify-serve-shop-0123.service" in console("serve", "--install", "--listen", "127.0.0.1:1").err
    assert "Ended and taken away" in console("serve", "--uninstall").err
    console.app.unit_is = ""
    assert "There is no unit" in console("serve", "--uninstall").err
    assert console.app.calls[0] == ("install_serve", {"listen": "127.0.0.1:1"})


def test_two_things_at_once_are_refused(console: Console) -> None:
    ended = console("serve", "--once", "--install")

    assert ended.code is Exit.USAGE
    assert console.app.calls == []
