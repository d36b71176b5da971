"""`vitrify resume`: let held requests through."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit, ended
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.render_report import problem_lines
from vitrify.cli.text import line
from vitrify.cli.verb import verb

EXAMPLES = {"vitrify resume web": "Let through what is held, in the order in which it came, and all that comes."}


@verb("resume", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY))
@click.argument("server")
@shared("project", "wait")
def resume(invocation: Invocation, server: str) -> Exit:
    """Let requests to SERVER through again: those that are held, and all new ones. Harmless where nothing is held."""
    held, applied = invocation.app.resume(server)
    told = "Requests go through again." if held else f"Nothing was held: requests to {server} go through."
    invocation.screen.show(
        lambda: documents.paused(server, applied, paused=False), lambda _: (line(told), *problem_lines(applied.problems))
    )
    return ended(applied)
