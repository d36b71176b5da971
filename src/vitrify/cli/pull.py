"""`vitrify pull`: an image out of a registry."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import plain_http, shared
from vitrify.cli.render_images import moved_lines
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify pull registry.example/team/web:1.4": "An image that somebody pushed; its digest here is the one that it had there.",
    "vitrify pull debian:bookworm": "One that others made, from docker.io, for this machine.",
}


@verb("pull", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DENIED, Exit.INTEGRITY))
@click.argument("reference")
@plain_http
@shared("project")
def pull(invocation: Invocation, reference: str, *, plain_http: bool) -> Exit:
    """Have the image of REFERENCE in the store, with what is attached to it, and print its digest. Every byte is checked before any of it
    counts; a pull that was broken off goes on where it ended. Starts nothing.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.pull(reference, plain=plain_http)
    invocation.screen.show(lambda: documents.moved("pull", found), lambda _: moved_lines(found, "fetched"))
    return Exit.DONE
