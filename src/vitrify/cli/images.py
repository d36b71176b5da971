"""`vitrify images`: what the store holds."""

from __future__ import annotations

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.render_images import image_lines
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify images": "Every image, and what refers to it.",
    "vitrify images -v": "With whole digests.",
}


@verb("images", examples=EXAMPLES)
@shared("project")
def images(invocation: Invocation) -> Exit:
    """List the images in this machine's store: digest, size, base, for which server each was baked, which releases of the project have it,
    and where it was pushed to or pulled from.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.images()
    invocation.screen.show(lambda: documents.images(found), lambda look: image_lines(found, look))
    return Exit.DONE
