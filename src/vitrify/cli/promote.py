"""`vitrify promote`: let a rollout that waits go on."""

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
    "vitrify promote web": "Let the release of web that waits go on: to all requests, or to the next step of its canary.",
    "vitrify promote web --everything -y": "Leave out the steps that are left: all requests at once, without asking.",
}


@verb(
    "promote",
    examples=EXAMPLES,
    exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DENIED, Exit.BUSY, Exit.STILL_SERVING, Exit.INTEGRITY, Exit.DECLARATION),
)
@click.argument("server")
@flag("--everything", is_flag=True, help="Without the steps that are left.")
@shared("project", "var", "parallel", "wait", "yes")
def promote(invocation: Invocation, server: str, everything: bool) -> Exit:  # noqa: FBT001  a flag of the command line
    """Let the rollout of SERVER that waits go on to where it waits next, or to its end. A canary's answers are judged first, and
    what does not pass is taken back: exit 7. Where nothing waits, nothing is done: exit 64. On several hosts it goes on on all
    of them or on none.
    """  # noqa: D205  the whole paragraph is the help
    invocation.screen.say(line(f"Promote {server}: {invocation.app.promotion(server)}."))
    confirm(invocation, "Let it go on?")
    applied = invocation.app.promote(server, everything=everything)
    invocation.screen.show(lambda: documents.promoted(applied), lambda look: applied_lines(applied, look))
    return ended(applied)
