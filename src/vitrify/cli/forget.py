"""`vitrify forget`: stop managing hosts, and leave what is there."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit, ended
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_report import forgotten_lines
from vitrify.cli.text import line
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify forget db": "Stop managing db on all of its hosts; everything stays there.",
    "vitrify forget db --host ssh://admin@db2.example": "Only on this host.",
    "vitrify forget db --host ssh://admin@db2.example --gone -y": "That machine does not exist any more: do not ask it.",
}


@verb("forget", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY))
@click.argument("server")
@flag("--host", metavar="HOST", default="", help="Only this host, written as in the declaration.")
@flag("--gone", is_flag=True, help="The hosts are gone for good: forget them without asking them.")
@shared("project", "parallel", "wait", "yes")
def forget(invocation: Invocation, server: str, host: str, gone: bool) -> Exit:  # noqa: FBT001  a flag of the command line
    """Stop managing a mutable SERVER where it is changed in place: everything stays there as it is and belongs to nobody, so
    nothing of it is changed or removed again. `vitrify retire` takes away what was created. A host that is still declared is
    managed again by the next apply.
    """  # noqa: D205  the whole paragraph is the help
    where = f" on {host}" if host else ""
    invocation.screen.say(line(f"Forget {server}{where}: what was applied stays, and is not managed any more."))
    confirm(invocation, "Forget it?")
    forgotten = invocation.app.forget(server, host=host, gone=gone)
    invocation.screen.show(lambda: documents.forgotten(forgotten), lambda look: forgotten_lines(forgotten, look))
    return ended(forgotten)
