"""`vitrify load`: an image out of a file or a folder."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.render_images import moved_lines
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify load web.tar": "What `vitrify export` wrote on another machine.",
    "vitrify load ./layout": "An OCI layout that any tool made.",
}


@verb("load", examples=EXAMPLES, exits=(Exit.DENIED, Exit.INTEGRITY))
@click.argument("source", metavar="FILE|DIR")
@shared("project")
def load(invocation: Invocation, source: str) -> Exit:
    """Bring every image of an OCI archive or an OCI layout that is for this machine into the store, with what is attached to it. Every byte
    is checked before any of it counts. Starts nothing.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.load(source)
    rows = [documents.moved("load", one) for one in found]
    invocation.screen.show(
        lambda: documents.document("loaded", images=[*rows]), lambda _: [row for one in found for row in moved_lines(one, "read")]
    )
    return Exit.DONE
