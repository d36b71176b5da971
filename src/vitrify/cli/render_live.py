"""The moving line on a terminal: what is being done right now, below what has been done."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.status import Status
from rich.text import Text


class Live:
    """A spinner with one line of text on a terminal."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        self._console = Console(file=stream, force_terminal=True, no_color=not colour, highlight=False)
        self._status = Status(Text(""), console=self._console)

    def turn(self, text: str) -> None:
        """Show this line, in place of the one before."""
        shown = Text.from_ansi(text.strip())
        shown.truncate(max(self._console.width - 4, 10), overflow="ellipsis")
        self._status.update(shown)
        self._status.start()

    def above(self, text: str) -> None:
        """Leave a line behind, above the moving one."""
        self._console.print(Text.from_ansi(text), soft_wrap=True)

    def end(self) -> None:
        """Remove the moving line."""
        self._status.stop()
