"""`vitrify watch`: who changes what, as it happens."""

from __future__ import annotations

import click

from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.render_audit import watch_lines
from vitrify.cli.verb import verb
from vitrify.core.watched import Seen

EXAMPLES = {
    "vitrify watch": "Listen on all hosts of mutable servers until Ctrl-C.",
    "vitrify watch db -o ndjson": "One JSON document a line for each finding, for a program that reads along.",
}


@verb("watch", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION))
@click.argument("servers", nargs=-1)
@shared("project", "limit", "exclude", "var", "parallel")
def watch(invocation: Invocation, servers: tuple[str, ...]) -> Exit:
    """Listen on the hosts of SERVERs (or of all that are mutable) and tell every difference as it comes to be, with who made it where
    the host lets us know, until Ctrl-C. What is on record as unauthorised goes to the ledger once. What an apply of vitrify changes
    is no finding. Changes nothing, and leaves nothing behind: what happens between two watches is found when the next one begins.
    """  # noqa: D205  the whole paragraph is the help

    def tell(seen: Seen) -> None:
        invocation.screen.show(seen.to_json, lambda look: watch_lines(seen, look))

    invocation.app.watch(servers, tell=tell)
    return Exit.DONE
