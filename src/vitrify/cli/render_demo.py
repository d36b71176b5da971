"""How the demo looks: numbered scenes, the commands as they would be typed, what they said, and what was measured."""

from __future__ import annotations

import os
import sys
import textwrap
from dataclasses import dataclass
from typing import TextIO

_WIDTH = 96
_STYLES = {"title": "1;36", "command": "1", "quiet": "2", "good": "32", "bad": "31", "word": "1;33"}


@dataclass(frozen=True)
class Screen:
    """Where the demo is shown; colours only where a person is likely to see them."""

    out: TextIO
    colour: bool

    @classmethod
    def standard(cls) -> Screen:
        """Standard output, coloured as NO_COLOR, FORCE_COLOR and the terminal ask for."""
        wanted = bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and os.environ.get("TERM") != "dumb")
        return cls(sys.stdout, colour=wanted and not os.environ.get("NO_COLOR"))

    def style(self, name: str, text: str) -> str:
        """The text in one of the demo's styles."""
        return f"\x1b[{_STYLES[name]}m{text}\x1b[0m" if self.colour else text

    def line(self, text: str = "") -> None:
        """One line."""
        self.out.write(f"{text}\n")
        self.out.flush()

    def scene(self, number: int, title: str, text: str) -> None:
        """A new scene: what is about to be shown, in two or three sentences."""
        self.line()
        self.line(self.style("title", f"{number}  {title}"))
        for row in textwrap.wrap(text, _WIDTH - 3):
            self.line(f"   {row}")
        self.line()

    def command(self, words: str) -> None:
        """A command, as a person would type it."""
        self.line(f"   {self.style('quiet', '$')} {self.style('command', words)}")

    def said(self, output: str, *, most: int = 14) -> None:
        """What it said, shortened in the middle when long."""
        rows = [row.rstrip() for row in output.splitlines() if row.strip()]
        if len(rows) > most:
            cut = len(rows) - most + 1
            rows = [*rows[: most // 2], f"… {cut} lines more …", *rows[len(rows) - (most - most // 2 - 1) :]]
        for row in rows:
            self.line(f"     {row}")

    def fact(self, text: str) -> None:
        """Something that was measured or checked just now, and held."""
        self.line(f"   {self.style('good', '✓')} {text}")

    def failure(self, text: str) -> None:
        """Something that did not hold."""
        self.line(f"   {self.style('bad', '✗')} {text}")
