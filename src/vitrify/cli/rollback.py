"""`vitrify rollback`: make a former release live again."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit, ended
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_report import applied_lines
from vitrify.cli.render_rollout import way_back_lines
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify rollback web": "Back to the previous release of web, after a question.",
    "vitrify rollback web 3 -y": "Back to release 3, without asking.",
}


@verb(
    "rollback",
    examples=EXAMPLES,
    exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DENIED, Exit.BUSY, Exit.STILL_SERVING, Exit.INTEGRITY, Exit.DECLARATION),
)
@click.argument("server")
@click.argument("release", required=False, type=click.IntRange(min=1))
@flag("--to", metavar="RELEASE", type=click.IntRange(min=1), help="Which release; the same as naming it behind the server.")
@shared("project", "var", "parallel", "wait", "yes")
def rollback(invocation: Invocation, server: str, release: int | None, to: int | None) -> Exit:
    """Send all requests of an immutable SERVER to its previous release, or to RELEASE. At once while its instances are warm; else
    they are started and must be healthy first; which of both is told before it asks. The release that was live stays, to go
    forward again. What was collected cannot be gone back to: exit 5, with what is left. On several hosts it is all of
    them or none.
    """  # noqa: D205  the whole paragraph is the help
    if release and to and release != to:
        raise click.UsageError(f"Release {release} or release {to}?")
    way = invocation.app.way_back(server, to=release or to, look=not invocation.yes)
    invocation.screen.say(*way_back_lines(way))
    confirm(invocation, "Roll back?")
    applied = invocation.app.rollback(server, to=way.release)
    invocation.screen.show(lambda: documents.rolled_back(applied), lambda look: applied_lines(applied, look))
    return ended(applied)
