"""What was done about findings, as a person reads it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vitrify.cli.text import Line, Span, Style, line, strong, table
from vitrify.core.readable import neutral

if TYPE_CHECKING:
    from vitrify.cli.render import Look
    from vitrify.core.adoption import Adoption
    from vitrify.core.quarantined import Quarantined


def adoption_lines(found: Adoption) -> Iterator[Line]:
    """The patch, file by file, and whom else it concerns."""
    for patch in found.patches:
        yield from (line(Span(neutral(each), _style(each))) for each in patch.lines)
    if found.also:
        yield line(f"The same resource is used by {', '.join(found.also)}: it changes for all of them.")


def _style(told: str) -> Style:
    return Style.ADDED if told.startswith("+") else Style.REMOVED if told.startswith("-") else Style.PLAIN


def quarantine_lines(found: Sequence[Quarantined], look: Look) -> Iterator[Line]:
    """One row for each thing."""
    if not found:
        yield line("Nothing is in quarantine.")
        return
    rows = [(strong(one.id), one.what, neutral(one.path) or "-", one.server, one.host, _time(one.at), str(one.entry)) for one in found]
    yield from table(("name", "what", "path", "server", "host", "since", "entry"), rows, width=None if look.verbose else look.width)


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))
