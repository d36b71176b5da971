"""`vitrify export`: an image as a file or a folder."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_images import moved_lines
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify export web web.tar": "The image that was last baked for web, as an OCI archive.",
    "vitrify export web web.oci/": "As an OCI layout in a new folder.",
    "vitrify export web web.tar --name registry.example/team/web:1.4": "What podman and containerd will call it.",
    "vitrify export web web.tar --evidence": "With its bill of materials, provenance and signature.",
}


@verb("export", examples=EXAMPLES, exits=(Exit.DENIED, Exit.INTEGRITY))
@click.argument("image", metavar="SERVER|DIGEST")
@click.argument("into", metavar="FILE|DIR/")
@flag("--name", metavar="REFERENCE", default="", help="What the image is called in it; localhost/SERVER:DIGITS otherwise.")
@flag("--evidence", is_flag=True, help="Also what is attached to it; other tools then have to be told the image's name.")
@shared("project")
def export(invocation: Invocation, image: str, into: str, name: str, *, evidence: bool) -> Exit:
    """Write an image to a FILE, an OCI archive, or where the name ends with a slash to a new folder, an OCI layout. Layers are not
    compressed: there it has the digest that it has here. Every OCI tool reads it, and `vitrify load` on another machine does.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.export(image, into, name=name, evidence=evidence)
    invocation.screen.show(lambda: documents.moved("export", found), lambda _: moved_lines(found, "written"))
    return Exit.DONE
