"""`vitrify bake`: an image, and nothing else."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.text import line, size
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify bake web": "Bake the image of web and print its digest.",
    "vitrify bake web -o json": "The digest and the size, as a document.",
}


@verb("bake", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.DENIED, Exit.INTEGRITY, Exit.DECLARATION))
@click.argument("server")
@shared("project", "var")
def bake(invocation: Invocation, server: str) -> Exit:
    """Bake the image of an immutable SERVER into the store and print its digest, which is the same wherever the same declaration
    is baked. Starts nothing and moves no traffic.
    """  # noqa: D205  the whole paragraph is the help
    digest, count = invocation.app.bake(server)
    invocation.screen.show(
        lambda: documents.document("bake", server=server, image=digest, bytes=count), lambda _: [line(f"{digest}  {size(count)}")]
    )
    return Exit.DONE
