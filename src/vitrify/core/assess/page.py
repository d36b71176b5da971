"""An assessment as an HTML page that stands alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from vitrify.core.assess.advice import Advice
from vitrify.core.assess.assessment import Assessment
from vitrify.core.assess.figure import Known
from vitrify.core.assess.measured import Measured
from vitrify.core.assess.words import HEADINGS, LONG, beside, reasons, spoken
from vitrify.core.audit_report.alone import alone


def page(found: Assessment, *, version: str) -> str:
    """The page of its project."""
    title = f"Assessment of {found.project}"
    when = datetime.fromtimestamp(found.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = f"{when} &middot; the last {found.days} days &middot; from {found.entries:,} entries of the ledger and from the hosts"
    return alone(title, version, (f"<h1>{escape(title)}</h1>", f'<p class="quiet">{said}</p>', *section(found)))


def section(found: Assessment) -> Iterator[str]:
    """The figures, what lacks, and what follows."""
    heads = "".join(f'<th scope="col" title="{escape(LONG[name])}">{escape(heading)}</th>' for name, heading in HEADINGS.items())
    yield f'<section><table class="found"><thead><tr><th scope="col">server</th><th scope="col">lifecycle</th>{heads}</tr></thead><tbody>'
    yield from map(_row, found.servers)
    yield "</tbody></table>"
    yield from (f'<p class="quiet">? {escape(reason)}</p>' for reason in reasons(found.servers))
    yield from (f'<p class="bad">x {escape(problem)}</p>' for problem in found.problems)
    yield "</section>"
    yield from _following(found.advice)


def _row(server: Measured) -> str:
    cells = []
    for name, figure in server.figures.items():
        more = beside(name, figure) if isinstance(figure, Known) else ""
        small = f'<br><span class="quiet">{escape(more)}</span>' if more else ""
        cells.append(f'<td data-name="{escape(LONG[name])}">{escape(spoken(name, figure))}{small}</td>')
    name = f"<code>{escape(server.server)}</code>"
    return f'<tr><td class="word">{name}</td><td class="word">{server.lifecycle.value}</td>{"".join(cells)}</tr>'


def _following(advice: Sequence[Advice]) -> Iterator[str]:
    if not advice:
        return
    yield '<section><h2>What follows</h2><table class="found"><tbody>'
    for one in advice:
        told = "<br>".join(escape(reason) for reason in one.because)
        told += "".join(f'<br><span class="bad">in the way:</span> {escape(obstacle)}' for obstacle in one.obstacles)
        by = f"<code>{escape(one.command)}</code>" if one.command else ""
        name = f"<code>{escape(one.server)}</code>"
        yield f'<tr><td class="word">{escape(one.spoken)}</td><td class="word">{name}</td><td>{told}</td><td>{by}</td></tr>'
    yield "</tbody></table></section>"
