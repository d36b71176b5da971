"""`vitrify push`: an image into a registry."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, plain_http, shared
from vitrify.cli.render_images import moved_lines
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify push web registry.example/team/web:1.4": "The image that was last baked for web.",
    "vitrify push sha256:4f0b4497ad44 127.0.0.1:5000/web:test": "The one whose digest begins so, to a registry on this machine.",
    "vitrify push web registry.example/team/web:1.4 --compression zstd -o json": "Smaller, for runtimes that read zstd.",
}


@verb("push", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DENIED, Exit.INTEGRITY))
@click.argument("image", metavar="SERVER|DIGEST")
@click.argument("reference")
@flag("--compression", type=click.Choice(("gzip", "zstd")), default="gzip", show_default=True, help="How layers are compressed.")
@plain_http
@shared("project")
def push(invocation: Invocation, image: str, reference: str, compression: str, *, plain_http: bool) -> Exit:
    """Push an image, and what is attached to it, to the tag that REFERENCE names, as in registry.example/team/web:1.4. What the registry
    has already is not sent; a push that was broken off goes on where it ended. Logins are those of podman, skopeo and docker. An image
    on `base: host` is refused: the rest of it is this machine.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.push(image, reference, plain=plain_http, compression=compression)
    invocation.screen.show(lambda: documents.moved("push", found), lambda _: moved_lines(found, "sent"))
    return Exit.DONE
