"""`vitrify rollback`: make a former release live again."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit, ended
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_report import applied_lines
from vitrify.cli.text import line
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify rollback web": "Back to the previous release of web, after a question.",
    "vitrify rollback web --to 3 -y": "Back to release 3, without asking.",
}


@verb(
    "rollback",
    examples=EXAMPLES,
    exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DENIED, Exit.BUSY, Exit.STILL_SERVING, Exit.INTEGRITY, Exit.DECLARATION),
)
@click.argument("server")
@flag("--to", metavar="RELEASE", type=click.IntRange(min=1), help="Which release; the previous one where none is named.")
@shared("project", "var", "parallel", "wait", "yes")
def rollback(invocation: Invocation, server: str, to: int | None) -> Exit:
    """Send all requests of an immutable SERVER to its previous release (or the one named). At once while its instances are warm;
    else they are started and must be healthy first. The release that was live stays, to go forward again. On several hosts it is
    all of them or none.
    """  # noqa: D205  the whole paragraph is the help
    live, target = invocation.app.rollback_plan(server, to=to)
    invocation.screen.say(line(f"Roll back {server}: release {target} goes live{f' in place of release {live}' if live else ''}."))
    confirm(invocation, "Roll back?")
    applied = invocation.app.rollback(server, to=target)
    invocation.screen.show(lambda: documents.rolled_back(applied), lambda look: applied_lines(applied, look))
    return ended(applied)
