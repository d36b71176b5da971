"""What moves on a terminal: what is being done right now, below what has been done; of several hosts, a line for each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live as RichLive
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from vitrify.core.amounts import many
from vitrify.core.event import Event, Stage

MOST_ROWS = 12
"""Hosts shown at once: those that were begun first."""
_NARROWEST = 20


@dataclass(frozen=True)
class Row:
    """One host under way: how many changes are made, and what is being done."""

    changes: int = 0
    doing: str = ""


class Live:
    """A spinner with one line of text, or a table of hosts."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        self._console = Console(file=stream, force_terminal=True, no_color=not colour, highlight=False)
        self._spinner = Spinner("dots")
        self._hosts: dict[str, Row] = {}
        self._ended = {Stage.DONE: 0, Stage.FAILED: 0}
        self._live = RichLive(console=self._console, transient=True, refresh_per_second=8, get_renderable=self.shown)

    def turn(self, text: str) -> None:
        """Show this line, in place of the one before."""
        shown = Text.from_ansi(text.strip())
        shown.truncate(max(self._console.width - 4, 10), overflow="ellipsis")
        self._spinner.update(text=shown)
        self._live.start()

    def host(self, event: Event) -> None:
        """Show what this event says of its host."""
        name = str(event.data.get("host"))
        if event.what == "host" and event.stage in self._ended:
            self._hosts.pop(name, None)
            self._ended[event.stage] += 1
        elif event.what == "host":
            self._hosts[name] = Row(doing=event.detail)
        else:
            row = self._hosts.get(name, Row())
            made = row.changes + (event.what == "change" and event.stage is Stage.DONE)
            action = f"{event.data.get('action', event.what)} {event.subject}"
            self._hosts[name] = replace(row, changes=made, doing=action)
        self._live.start()

    def above(self, text: str) -> None:
        """Leave a line behind, above what moves."""
        self._console.print(Text.from_ansi(text), soft_wrap=True)

    def end(self) -> None:
        """Remove what moves."""
        self._live.stop()

    def shown(self) -> RenderableType:
        """What the terminal shows now."""
        return self._table() if self._hosts or any(self._ended.values()) else self._spinner

    def _table(self) -> RenderableType:
        rows = Table.grid(padding=(0, 2))
        for name, row in list(self._hosts.items())[:MOST_ROWS]:
            room = max(_NARROWEST, self._console.width - len(name) - 16)
            doing = Text(row.doing)
            doing.truncate(room, overflow="ellipsis")
            rows.add_row(Text(f"  {name}"), Text(f"{row.changes} made", justify="right"), doing)
        done, failed = self._ended[Stage.DONE], self._ended[Stage.FAILED]
        told = f"{many(len(self._hosts), 'host')} under way, {done} done" + (f", {failed} failed" if failed else "")
        self._spinner.update(text=Text(told))
        return Group(rows, self._spinner)
