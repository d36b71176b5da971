"""What a terminal shows while several hosts are changed."""

from __future__ import annotations

import io

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
