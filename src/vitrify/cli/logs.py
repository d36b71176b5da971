"""`vitrify logs`: what instances wrote."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.text import line
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify logs web": "The last lines of each live instance of web.",
    "vitrify logs web-4-9c1f -n 500": "The last 500 lines of one instance.",
}


@verb("logs", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DECLARATION))
@click.argument("name")
@flag("-n", "--lines", type=click.IntRange(min=1), default=100, metavar="COUNT", help="How many lines of each instance, from the end.")
@shared("project")
def logs(invocation: Invocation, name: str, lines: int) -> Exit:
    """Show the last lines that the live instances of a server (or one instance, by its id) wrote. Escape sequences are written
    out, so that a log cannot command the terminal; `-o json` holds the text as it was.
    """  # noqa: D205  the whole paragraph is the help
    text = invocation.app.logs(name, lines=lines)
    shown = text.removesuffix("\n").split("\n") if text else []
    invocation.screen.show(lambda: documents.document("logs", name=name, text=text), lambda _: [line(each) for each in shown])
    return Exit.DONE
