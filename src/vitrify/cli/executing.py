"""`vitrify exec`: run a command where a server lives; inside an immutable one only with a reason, which is recorded."""

from __future__ import annotations

import sys

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_report import entered_lines
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify exec db -- systemctl status postgresql": "On each host of db; what was run is recorded.",
    'vitrify exec web --break-glass "disk full" -- /bin/sh': "A shell inside a live instance of web, which is replaced after it.",
}


@verb(
    "exec",
    examples=EXAMPLES,
    exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DENIED, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION),
)
@click.argument("server")
@click.argument("command", nargs=-1, required=True)
@flag("--instance", metavar="ID", default="", help="Which instance; one of the live release where none is named.")
@flag("--break-glass", metavar="REASON", default="", help="Enter an instance all the same, and say why.")
@shared("project", "env", "limit", "var")
def exec_(invocation: Invocation, server: str, command: tuple[str, ...], instance: str, break_glass: str) -> Exit:
    """Run COMMAND on the hosts of a mutable SERVER. An immutable one refuses: with `--break-glass` the reason is recorded before the
    command starts, and the instance is marked, and replaced when the command has ended. Ends with 1 where the command failed.
    """  # noqa: D205  the whole paragraph is the help
    entered = invocation.app.enter(server, command, instance=instance, reason=break_glass, terminal=_at_terminal())
    invocation.screen.show(lambda: documents.entered(server, entered), lambda _: entered_lines(entered))
    return Exit.FAILED if any(one.code for one in entered) else Exit.DONE


def _at_terminal() -> bool:
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout))
