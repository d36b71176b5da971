"""An assessment as a person reads it: a row for each server, why a figure lacks, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vitrify.cli.text import BLANK, Line, Span, Style, faint, line, prose, strong, table
from vitrify.core.amounts import many
from vitrify.core.assess.advice import FLIP, Advice
from vitrify.core.assess.assessment import Assessment
from vitrify.core.assess.figure import Known
from vitrify.core.assess.measured import Measured
from vitrify.core.assess.words import HEADINGS, LONG, NOT_KNOWN, beside, cells, reasons, spoken

if TYPE_CHECKING:
    from vitrify.cli.render import Look

_MARGIN = 12


def assess_lines(found: Assessment, look: Look) -> Iterator[Line]:
    """Figures first, then what lacks, then what to do."""
    if not found.servers:
        yield line("No servers are declared.")
        return
    days = "The last day" if found.days == 1 else f"The last {found.days} days"
    yield line(strong(days), faint(f", from {many(found.entries, 'entry')} of the ledger and from the hosts"))
    rows = [(strong(server.server), server.lifecycle.value, *cells(server)) for server in found.servers]
    yield from table(("server", "lifecycle", *HEADINGS.values()), rows, width=None if look.verbose else look.width)
    if look.verbose:
        yield from _whole(found.servers)
    for reason in reasons(found.servers):
        yield from prose((faint(f"{NOT_KNOWN}  "),), reason, width=look.width)
    for problem in found.problems:
        yield line(Span("x  ", Style.ALARM), problem)
    yield BLANK
    yield from _following(found.advice, look)


def _whole(servers: Sequence[Measured]) -> Iterator[Line]:
    """Every figure of every server on a line of its own, with all that is known of it."""
    for server in servers:
        yield BLANK
        yield line(strong(server.server), f"  {server.lifecycle.value}")
        rows = [
            (LONG[name], spoken(name, figure), faint(beside(name, figure) if isinstance(figure, Known) else ""))
            for name, figure in server.figures.items()
        ]
        yield from (line("  ", *row) for row in table(("", "", ""), rows)[1:])
    yield BLANK


def _following(advice: Sequence[Advice], look: Look) -> Iterator[Line]:
    if not any(one.what == FLIP for one in advice):
        yield line("Nothing that was measured speaks for a flip.")
    for one in advice:
        yield line(Span(f"{one.spoken.capitalize()}: ", Style.CHANGED if one.what == FLIP else Style.PLAIN), strong(one.server))
        for name, texts in (("because", one.because), ("in the way", one.obstacles), ("by", (one.command,) if one.command else ())):
            for number, text in enumerate(texts):
                yield from prose((faint(f"  {name if number == 0 else '':{_MARGIN}}"),), text, width=look.width)
