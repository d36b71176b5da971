"""What a terminal shows while several hosts are changed."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from vitrify.cli.render import Screen, Settings, Streams
from vitrify.cli.render_live import MOST_ROWS, Live
from vitrify.core.digest import JSON
from vitrify.core.event import Event, Stage


class Terminal(io.StringIO):
    """A terminal that remembers what was written to it."""

    def isatty(self) -> bool:
        return True


def of(host: str, what: str, stage: Stage, subject: str = "", detail: str = "") -> Event:
    data: dict[str, JSON] = {"server": "web", "host": host, **({"action": "create"} if what == "change" else {})}
    return Event(what, stage, subject or host, detail, data)


def shown(*events: Event) -> list[str]:
    live = Live(Terminal(), colour=False)
    for event in events:
        live.host(event)
    live.end()
    console = Console(file=io.StringIO(), width=80)
    console.print(live.shown())
    output = console.file
    assert isinstance(output, io.StringIO)
    return [" ".join(each.split()) for each in output.getvalue().splitlines()]


def test_each_host_under_way_has_a_line_with_what_is_made_and_what_is_being_done() -> None:
    lines = shown(
        of("a", "host", Stage.STARTED, detail="2 changes"),
        of("b", "host", Stage.STARTED, detail="1 changes"),
        of("a", "change", Stage.DONE, "file:/etc/motd"),
        of("a", "change", Stage.STARTED, "file:/etc/issue"),
    )

    assert lines[:2] == ["a 1 made create file:/etc/issue", "b 0 made 1 changes"]
    assert lines[2].endswith("2 hosts under way, 0 done")


def test_hosts_that_ended_are_counted() -> None:
    begun = [of(name, "host", Stage.STARTED) for name in "abc"]

    lines = shown(*begun, of("a", "host", Stage.DONE), of("b", "host", Stage.FAILED))

    assert lines[-1].endswith("1 host under way, 1 done, 1 failed")


def test_a_table_never_grows_beyond_its_rows() -> None:
    lines = shown(*(of(f"host-{number}", "host", Stage.STARTED) for number in range(100)))

    assert len(lines) == MOST_ROWS + 1


def test_of_a_fleet_only_failures_stay_on_the_screen() -> None:
    stderr = Terminal()
    screen = Screen(Streams(io.StringIO(), io.StringIO(), stderr), Settings(color="never"), environ={}, clock=lambda: 0.0)
    screen.emit(of("a", "host", Stage.STARTED))
    screen.emit(of("a", "change", Stage.DONE, "file:/etc/motd"))
    screen.emit(of("a", "change", Stage.FAILED, "file:/etc/x", "no space left"))
    screen.close()

    told = " ".join(stderr.getvalue().split())
    assert "create file:/etc/x of web on a failed: no space left" in told
    assert "create file:/etc/motd of web on a done" not in told


@pytest.mark.parametrize(("environ", "dated"), [({}, True), ({"JOURNAL_STREAM": "8:1234"}, False)])
def test_a_line_of_a_long_log_begins_with_its_time_unless_the_journal_dates_it(environ: dict[str, str], dated: bool) -> None:  # noqa: FBT001  a column
    stderr = io.StringIO()
    screen = Screen(Streams(io.StringIO(), io.StringIO(), stderr), Settings(color="never"), environ=environ, clock=lambda: 1_770_000_000.0)
    screen.date()
    screen.emit(Event("health", Stage.FAILED, "web-r1-0", "says 500"))

    assert stderr.getvalue() == f"{'2026-02-02 02:40:00Z ' if dated else ''}  x health web-r1-0  failed: says 500\n"
