"""`vitrify bootstrap`: a Python for hosts that have none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.text import Line, Span, Style, faint, line, strong
from vitrify.cli.verb import verb
from vitrify.core.amounts import many

if TYPE_CHECKING:
    from vitrify.core.report import Bootstrapped

EXAMPLES = {
    "vitrify bootstrap": "Every host behind SSH that has no Python, after a question.",
    "vitrify bootstrap db": "Only the hosts of the server db.",
    "vitrify bootstrap -y -o json": "In a pipeline.",
}


@verb("bootstrap", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.INTEGRITY, Exit.DECLARATION))
@click.argument("server", default="")
@shared("project", "limit", "exclude", "var", "parallel", "yes")
def bootstrap(invocation: Invocation, server: str) -> Exit:
    """Look which hosts behind SSH have no Python that vitrify can run on, show for each what its own package manager would be told,
    ask, and install it there; then the host must answer. Hosts that have one are left alone. SERVER picks the hosts of one server.
    """  # noqa: D205  the whole paragraph is the help
    screen, app = invocation.screen, invocation.app
    found = app.bare(server)
    screen.preview(lambda: documents.bootstrapped(found), lambda _: _lines(found))
    bare = sum(row.state == "bare" for row in found)
    if bare:
        confirm(invocation, f"Install Python on {many(bare, 'host')}?")
    # Asked or not: an earlier command that was cut short may have left something to tell the ledger.
    ended = app.bootstrap(found, server)
    screen.show(lambda: documents.bootstrapped(ended), lambda _: _lines(ended) if bare else ())
    states = {row.state for row in ended}
    return Exit.HOSTS_FAILED if "failed" in states else Exit.UNREACHABLE if "unreachable" in states else Exit.DONE


def _lines(rows: Sequence[Bootstrapped]) -> Iterator[Line]:
    if not rows:
        yield line("No server lives on a host behind SSH.")
    for row in rows:
        yield line(*_SYMBOLS[row.state], strong(row.host), faint(f"  {row.server}  "), _told(row))
        if row.state == "bare":
            yield line("      as root: ", row.command)


_SYMBOLS = {
    "ready": (Span(" ok ", Style.ADDED),),
    "installed": (Span("  + ", Style.ADDED),),
    "bare": (Span("  + ", Style.CHANGED),),
    "failed": (Span("  x ", Style.ALARM),),
    "unreachable": (Span("  x ", Style.ALARM),),
}


def _told(row: Bootstrapped) -> str:
    if row.problem:
        return f"{row.state}: {row.problem.splitlines()[0]}"
    return {"ready": f"has Python {row.python}", "bare": "has no Python", "installed": f"Python {row.python} answers"}[row.state]
