"""`vitrify status`: how things stand."""

from __future__ import annotations

from vitrify.cli import documents
from vitrify.cli.exits import Exit, unseen
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.render_report import status_lines
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify status": "All servers, their live releases and instances.",
    "vitrify status -l web -o json": "One server, as a document.",
}


@verb("status", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.INTEGRITY, Exit.DECLARATION))
@shared("project", "limit", "exclude", "var")
def status(invocation: Invocation) -> Exit:
    """Show each server: for a mutable one what was applied when and by whom, for an immutable one its live and previous release
    and every instance with its age and health. Changes nothing. A host that cannot be reached is told with what is remembered
    of it: exit 4.
    """  # noqa: D205  the whole paragraph is the help
    servers = invocation.app.status()
    invocation.screen.show(lambda: documents.status(servers), lambda look: status_lines(servers, look))
    return unseen([problem for server in servers for problem in server.problems])
