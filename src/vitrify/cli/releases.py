"""`vitrify releases`: what was put forward, and what is still warm."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.render_report import release_lines
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify releases": "The releases of every immutable server.",
    "vitrify releases web -v": "Those of web, with whole digests.",
}


@verb("releases", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DECLARATION))
@click.argument("server", default="")
@shared("project")
def releases(invocation: Invocation, server: str) -> Exit:
    """List the releases of SERVER, or of all servers, newest first: number, state, slot, how many instances run, image."""
    found = invocation.app.releases(server)
    invocation.screen.show(lambda: documents.releases(found), lambda look: release_lines(found, look))
    return Exit.DONE
