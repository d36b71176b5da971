"""The screen: when there is colour, what a terminal is spared, and what becomes of a reader who leaves."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Surroundings
from vitrify.cli.main import run
from vitrify.cli.render import Streams
from vitrify.cli.text import Span, Style, columns, line, painted, prose, shortened, table
from vitrify.core.amounts import ago, lasted, many, size
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.drift import Audit
from vitrify.core.event import Event, Stage
from vitrify.core.plan import HostPlan, Plan
from vitrify.core.readable import neutral
from vitrify.core.report import ServerStatus

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console

HOSTILE = "a\x1b[2Jb\x9b31m\rc\nd\x07\x7f\u202egnp.exe\u200b\u2028\ud800\U000e0041"


@pytest.mark.parametrize(
    ("environ", "arguments", "tty", "coloured"),
    [
        ({}, (), True, True),
        ({}, (), False, False),
        ({"NO_COLOR": "1"}, (), True, False),
        ({"NO_COLOR": "1"}, ("--color", "always"), False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, (), True, False),
        ({"FORCE_COLOR": "1"}, (), False, True),
        ({"FORCE_COLOR": "0"}, (), False, False),
        ({"TERM": "dumb"}, (), True, False),
        ({"VITRIFY_COLOR": "always"}, (), False, True),
        ({}, ("--color", "never"), True, False),
    ],
)
def test_colour_is_for_those_who_see_and_want_it(
    console: Console,
    environ: dict[str, str],
    arguments: tuple[str, ...],
    tty: bool,  # noqa: FBT001  a column of the table
    coloured: bool,  # noqa: FBT001  a column of the table
) -> None:
    ended = console("audit", *arguments, tty=tty, environ=environ)

    assert ("\x1b[" in ended.out) is coloured


@pytest.mark.parametrize("form", ["table", "json", "yaml", "ndjson"])
def test_hostile_text_never_reaches_the_terminal(console: Console, drift: Audit, form: str) -> None:
    finding = replace(drift.findings[0], path=HOSTILE, details=(HOSTILE,), owner=HOSTILE)
    console.app.audit_is = replace(drift, findings=(finding,))
    console.app.events = (Event("change", Stage.FAILED, HOSTILE, HOSTILE),)

    ended = console("audit", "-o", form, "--color", "never")

    found = ended.out + ended.err
    assert ended.code is Exit.DONE
    assert not {char for char in found if char != "\n" and (ord(char) < 32 or 0x7F <= ord(char) < 0xA0)}
    assert not set(found) & {"\u202e", "\u200b", "\u2028", "\ud800", "\U000e0041"}


def test_a_log_cannot_command_the_terminal_but_keeps_its_lines(console: Console) -> None:
    console.app.logs_are = "one\n\x1b]0;owned\x07two\tthree\n"

    assert console("logs", "web").out == "one\n\\x1b]0;owned\\x07two\tthree\n"


def test_a_name_cannot_forge_a_line_of_a_table(console: Console) -> None:
    console.app.status_is = (ServerStatus("web\nok  db: done", "mutable", ("local",)),)

    assert console("status").out.splitlines()[0] == "web\\x0aok  db: done on local  mutable"


def test_text_that_the_stream_cannot_encode_is_written_out(console: Console) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console.app.logs_are = "größe\n"

    code = run(["logs", "web"], Surroundings(Streams(io.StringIO(), stdout, io.StringIO()), {}, lambda: 0.0, console.app.open))

    stdout.seek(0)
    assert code is Exit.DONE
    assert stdout.read() == "gr\\xf6\\xdfe\n"


class Gone(io.StringIO):
    """A pipe whose reader has left."""

    def write(self, _: str, /) -> int:
        raise BrokenPipeError


def test_a_reader_who_leaves_does_not_stop_what_is_being_done(console: Console) -> None:
    console.app.events = (Event("change", Stage.DONE, "file:/etc/motd", data={"action": "create"}),)

    code = run(["apply", "-y"], Surroundings(Streams(io.StringIO(), Gone(), Gone()), {}, lambda: 0.0, console.app.open))

    assert code is Exit.DONE
    assert console.app.asked == ["plan", "approved", "apply"]


def test_every_span_is_closed_where_it_ends() -> None:
    assert painted(line("a", Span("b", Style.ADDED)), colour=True) == "a\x1b[32mb\x1b[0m"
    assert painted(line("a", Span("b", Style.ADDED), "  "), colour=False) == "ab"


def test_widths_are_what_a_terminal_shows() -> None:
    assert columns("abc") == 3
    assert columns("名前") == 4
    assert columns("e\u0301") == 1
    assert columns("\x1b") == len(neutral("\x1b")) == 4


def test_a_table_lines_up_whatever_its_letters_are() -> None:
    lines = [painted(each, colour=False) for each in table(("name", "n"), [("名前", "1"), ("ab", "2")])]

    assert [columns(each[: each.index(last)]) for each, last in zip(lines, ("n", "1", "2"), strict=True)][1:] == [6, 6]


def test_cutting_keeps_both_ends() -> None:
    assert shortened("abcdefghij", to=10) == "abcdefghij"
    assert shortened("abcdefghijk", to=10) == "abcd...ijk"


def test_measures_are_for_people() -> None:
    assert [ago(seconds) for seconds in (-1, 59, 61, 7300, 90_000)] == ["0 s", "59 s", "1 min", "2 h", "1 d"]
    assert [lasted(seconds) for seconds in (0.0012, 0.0123, 3.21, 300)] == ["1.2 ms", "12 ms", "3.2 s", "5 min"]
    assert [size(count) for count in (12, 2048, 5 << 20, 3 << 40)] == ["12 B", "2.0 KiB", "5.0 MiB", "3.0 TiB"]
    assert [many(1, "entry"), many(2, "entry"), many(1200, "host")] == ["1 entry", "2 entries", "1,200 hosts"]
    assert [many(2, "day"), many(0, "image"), many(3, "match")] == ["2 days", "0 images", "3 matches"]


@pytest.mark.parametrize(
    ("width", "rows"),
    [
        (None, ["hint: one two three"]),
        (14, ["hint: one two", "      three"]),
        (9, ["hint: one", "      two", "      three"]),
        (1, ["hint: one", "      two", "      three"]),
    ],
)
def test_prose_breaks_between_words_and_is_set_in(width: int | None, rows: list[str]) -> None:
    shown = prose(line("hint: "), "one two three", width=width)

    assert [painted(each, colour=False) for each in shown] == rows


def test_a_notice_and_a_reason_keep_within_the_terminal(console: Console, mixed_plan: Plan) -> None:
    host = mixed_plan.servers[0]
    assert isinstance(host, HostPlan)
    console.app.plan_is = replace(mixed_plan, servers=(replace(host, changes=(), notices=("word " * 60,)),))
    narrow = {"COLUMNS": "80", "NO_COLOR": "1"}

    shown = console("plan", tty=True, environ=narrow).out.splitlines()
    console.app.error = UsageInvalid("no", why="word " * 60)
    told = console("plan", tty=True, environ=narrow).err.splitlines()

    assert max(map(len, shown)) <= 80
    assert max(map(len, told)) <= 80
