"""`vitrify retire`: stop and discard a server's instances."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.text import line
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify retire web": "Take web out of service, after a question.",
    "vitrify retire web -y": "Without asking.",
}


@verb("retire", examples=EXAMPLES, exits=(Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY))
@click.argument("server")
@shared("project", "yes")
def retire(invocation: Invocation, server: str) -> Exit:
    """Take an immutable SERVER out of service: its route is forgotten, its instances are stopped and discarded, and none of its
    releases can be rolled back to. Its images and its entries in the ledger stay; `vitrify apply` begins anew.
    """  # noqa: D205  the whole paragraph is the help
    invocation.screen.say(line(f"Retire {server}: requests to it will fail."))
    confirm(invocation, "Retire it?")
    count = invocation.app.retire(server)
    told = f"Retired {server}: {count} instance{'' if count == 1 else 's'} stopped and discarded."
    invocation.screen.show(lambda: documents.retired(server, count), lambda _: [line(told)])
    return Exit.DONE
