"""`vitrify logs`: what instances wrote."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit, unseen
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_report import problem_lines
from vitrify.cli.text import line
from vitrify.cli.verb import verb
from vitrify.core.diagnostic import UsageInvalid

EXAMPLES = {
    "vitrify logs web": "The last lines of each running instance of web.",
    "vitrify logs web-4-9c1f -n 500": "The last 500 lines of one instance.",
}


@verb("logs", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DECLARATION))
@click.argument("name")
@flag("-n", "--lines", type=click.IntRange(min=1), default=100, metavar="COUNT", help="How many lines of each instance, from the end.")
@shared("project")
def logs(invocation: Invocation, name: str, lines: int) -> Exit:
    """Show the last lines that the running instances of an immutable server (or one instance, by its id) wrote. Escape sequences
    are written out, so that a log cannot command the terminal; `-o json` holds the text as it was. A host that cannot be reached
    is told behind the others: exit 4.
    """  # noqa: D205  the whole paragraph is the help
    try:
        found = invocation.app.logs(name, lines=lines)
    except UsageInvalid:
        _refuse_mutable(invocation, name)
        raise
    shown = found.text.removesuffix("\n").split("\n") if found.text else []
    invocation.screen.show(lambda: documents.logs(name, found), lambda _: [*map(line, shown), *problem_lines(found.problems)])
    return unseen(found.problems)


def _refuse_mutable(invocation: Invocation, name: str) -> None:
    """A mutable server has no instances: say where its processes write to instead."""
    if any(server.name == name and server.lifecycle == "mutable" for server in invocation.app.status()):
        raise UsageInvalid(
            f"{name} is mutable, and has no instances that write logs",
            why="its processes are units of systemd, which keeps what they write",
            hint=f"on its host: `journalctl -u UNIT`, where UNIT is the name of a process of {name}",
        )
